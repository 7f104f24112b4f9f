"""Gradient modes: how dL/dy0, dL/dtheta are computed from dL/dys, one module a mode."""
