"""The trainer of controllers: a policy is learned through the solver."""
