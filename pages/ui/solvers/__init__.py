"""What the page Solvers is made of."""
