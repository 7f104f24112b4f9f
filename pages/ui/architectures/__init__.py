"""What the page Architectures is made of."""
