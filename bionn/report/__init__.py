"""What a run shows: the lines on the terminal now, plots and the HTML page in time."""
