"""Do the counters say what the ledger says: compared at one instant, and mended from the ledger where they do not."""
