"""How much an organization keeps upstream: told by answers, summed up by the ledger, counted in Redis."""
