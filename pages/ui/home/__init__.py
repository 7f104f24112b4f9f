"""What the first page is made of."""
