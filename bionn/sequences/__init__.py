"""Symbols of biological sequences: alphabets, their codes, and one-hot columns."""
