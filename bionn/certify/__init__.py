"""Certifies the layers: the registry of cases and the checks run over it."""
