"""What the page Control is made of."""
