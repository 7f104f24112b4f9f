"""The multilayer perceptron as a field, with its derivatives in closed form."""
