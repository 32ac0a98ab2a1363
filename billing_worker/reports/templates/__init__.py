"""What each report shows, one file a template."""
