"""Figures as SVG in the page's own colours: drawn by small functions, no image files."""
