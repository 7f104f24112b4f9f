"""An ordinary module that is a chain of linear layers and activations, recognised as an `MLPField`."""
