"""The outside world for tests, demo and load. Each simulator is a program with books of its own."""
