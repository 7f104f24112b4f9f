"""What the page CNF is made of."""
