"""Realtime: sessions over WebSockets, their ephemeral secrets, and calls whose sound goes past us."""
