"""Notices: what people are told by mail, in words, as messages, and sent."""
