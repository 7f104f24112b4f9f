"""Figures of the lesson Architectures."""
