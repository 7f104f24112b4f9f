"""The machine that runs everything: executor, workers, live runs and their chunks. Knows no model and no lesson."""
