"""Figures of the lesson Adjoint."""
