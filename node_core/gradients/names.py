"""The gradient modes by name, for those who choose one. Loads no torch."""

GRADIENTS = ("backprop", "adjoint", "adjoint_seminorm", "checkpointed", "interpolated")
# What a reference solver from SciPy can serve: it gives states, not a graph.
CONTINUOUS = ("adjoint", "interpolated")
