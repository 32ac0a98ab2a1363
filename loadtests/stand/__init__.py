"""What the measurements share: a machine's cores, servers, the product as a user starts it, and load on it."""
