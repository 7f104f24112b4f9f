"""Figures of the lesson CNF."""
