"""Live runs on a page: the run, its canvas, its curves and the routes that feed them."""
