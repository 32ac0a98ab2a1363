"""Whether a call costs more where there is much in the ledger."""
