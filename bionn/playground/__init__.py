"""The lecture on a page of this machine: the worked example and gradient descent, to play with."""
