"""The trainer of classifiers of images: the rows of the paper's Table 1."""
