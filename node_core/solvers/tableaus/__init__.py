"""Coefficients of the methods, as validated data."""
