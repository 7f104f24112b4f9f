"""Pure functions from results to plotly figures: result -> info (plain numbers) -> Figure."""
