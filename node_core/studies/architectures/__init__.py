"""Studies of the lesson Architectures."""
