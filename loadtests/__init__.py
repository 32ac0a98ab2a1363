"""Load on a running proxy."""
