"""Layers and losses as autograd Functions whose derivatives are written by hand: README.md."""
