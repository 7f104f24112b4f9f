"""Studies of the lesson Solvers."""
