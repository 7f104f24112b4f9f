"""Solvers: tableaus as data, one step, step-size control, dense output, the loop, implicit methods."""
