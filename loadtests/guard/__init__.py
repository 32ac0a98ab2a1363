"""What a call costs the proxy, in units that are the same on every machine: calls of a fixed reference beside it."""
