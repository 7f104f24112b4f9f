"""Figures of the lesson Solvers."""
