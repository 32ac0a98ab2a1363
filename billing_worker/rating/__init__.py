"""Usage to invoice lines: pure, but for `gather`, which asks a UsageSource for the sums."""
