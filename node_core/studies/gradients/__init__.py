"""Studies of a gradient on its way back through a solver, which more than one lesson asks."""
