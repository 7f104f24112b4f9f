"""The dashboard as a command: `neural-ode-lab`, or `python -m neural_ode_lab`."""
