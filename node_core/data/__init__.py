"""Classification data: toy sets, points a user draws, CSV files; seeded, validated, torch-free."""
