"""Classifiers that share block and head: ODE-Net, ResNet, Runge-Kutta net, and a plain MLP."""
