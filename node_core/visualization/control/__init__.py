"""Pictures of the control lesson."""
