"""The conservation test: whatever fails meanwhile, what was served, recorded and counted is the same."""
