"""What the Control page asks of a controller."""
