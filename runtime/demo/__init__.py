"""A guided tour: what a client, its limits and the ledger do."""
