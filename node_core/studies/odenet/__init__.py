"""Studies of the lesson ODE-Net."""
