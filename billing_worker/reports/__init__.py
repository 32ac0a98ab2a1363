"""Reports: tables over a span of time, described once and written as JSON, CSV, spreadsheet or PDF."""
