"""The facts, by area."""
