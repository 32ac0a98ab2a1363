"""Whose is it: what a tenant created upstream, no other tenant can read, use or delete."""
