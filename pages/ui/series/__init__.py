"""What the page Time series is made of."""
