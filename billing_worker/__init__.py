"""The time plane: what the clock starts."""
