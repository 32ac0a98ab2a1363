"""Who calls: an API key becomes one principal."""
