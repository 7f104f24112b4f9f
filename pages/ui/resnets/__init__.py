"""What the page of ResNets is made of."""
