"""The solve of an MLPField as one call of compiled code; optional, and equal to what torch computes."""
