"""May they: the limits of a plan as holds and counters in Redis, checked and written by one script."""
