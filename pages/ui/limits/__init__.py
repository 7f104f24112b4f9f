"""What the page of limits is made of."""
