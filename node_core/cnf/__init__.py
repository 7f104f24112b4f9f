"""Continuous normalizing flows: divergence, the flow, target densities, and the discrete flows they race."""
