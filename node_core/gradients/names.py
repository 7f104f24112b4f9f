"""The gradient modes by name, for those who choose one. Loads no torch."""

GRADIENTS = ("backprop", "adjoint", "adjoint_seminorm", "checkpointed", "interpolated", "reversible")
# What solves an equation backward, with entries that y0 has not.
BACKWARD = ("adjoint", "adjoint_seminorm", "interpolated")
# What a reference solver from SciPy can serve: it gives states, not a graph.
CONTINUOUS = ("adjoint", "interpolated")


def goes_with(gradient: str, family: str) -> bool:
    """Whether a gradient mode can go back through the methods of a family (see `solvers.methods.Method`)."""
    if family == "scipy":
        return gradient in CONTINUOUS
    return family == "explicit" or gradient != "reversible"
