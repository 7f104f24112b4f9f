"""What the page Adjoint is made of."""
