"""The trainer of classifiers: ODE-Nets, ResNets, MLPs on points."""
