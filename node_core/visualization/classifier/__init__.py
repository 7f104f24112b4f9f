"""Figures of the studies of a trained classifier of points."""
