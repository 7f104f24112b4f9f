"""The checks behind `odeint`: every mistake gets a sentence with the value and the remedy."""
