"""The lessons, one module a page: controls, a cached or live run, figures, text."""
