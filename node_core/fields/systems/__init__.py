"""Classical systems, and the registry that names them."""
