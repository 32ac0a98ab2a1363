"""What proxy, worker and console share: the domain's records, money, prices and the Postgres schema."""
