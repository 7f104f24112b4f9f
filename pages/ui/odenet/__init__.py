"""What the page ODE-Net is made of."""
