"""One step of a method: explicit, implicit, Rosenbrock, SciPy's."""
