"""Studies of the lesson CNF."""
