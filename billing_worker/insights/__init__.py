"""Insights: what of an organization's usage is unusual, what the month will come to, and what would lower the bill."""
