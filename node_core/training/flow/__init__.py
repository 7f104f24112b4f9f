"""The trainer of flows: continuous and discrete normalizing flows."""
