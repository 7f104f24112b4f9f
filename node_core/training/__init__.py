"""Frozen configurations, the one training step of every live run, and the executor that runs it."""
