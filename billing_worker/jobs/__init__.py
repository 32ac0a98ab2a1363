"""Scheduled jobs, one a module; billing_worker/schedule.py says when."""
