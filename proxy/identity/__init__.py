"""Who calls: an API key, or the access token of a person, becomes one principal."""
