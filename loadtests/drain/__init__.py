"""How fast usage records reach Postgres, and what calls notice of it."""
