"""The solve of an MLPField, and its discrete gradient, as one call of compiled code each.

Optional: `build.py` compiles it where there is a C++ compiler, NODE_NATIVE=0 turns it off, and `Solution.stats.engine`
tells whether it ran. Torch's solve does the same, and is the oracle: the same steps and evaluations, equal values.
"""
