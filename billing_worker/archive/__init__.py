"""Months of long ago: from a partition of the table to a file, and only then out of the database."""
