"""Write it down once: from the settlement script's stream to rows in Postgres."""
