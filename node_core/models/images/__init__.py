"""Classifiers of images, built of convolutions: the nets of the paper's Table 1. Dense ones are those of points."""
