"""Studies of the lesson Limits."""
