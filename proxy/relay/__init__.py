"""Bytes back: what the upstream answers, to the client, as it came."""
