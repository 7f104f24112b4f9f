"""Studies of the lesson Adjoint."""
