"""Figures of the lesson ResNets to ODEs."""
