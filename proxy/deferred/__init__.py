"""Calls whose usage is known later: background responses, runs, videos, fine-tuning jobs, batches."""
