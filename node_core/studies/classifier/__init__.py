"""Studies of a trained classifier of points, which more than one lesson asks."""
