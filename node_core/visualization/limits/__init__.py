"""Figures of the lesson Limits."""
