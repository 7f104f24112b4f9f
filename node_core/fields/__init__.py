"""Vector fields f(t, y): classical systems, user-typed formulas and the trainable MLP."""
