"""A catalogue of the OpenAI API: each path, and how it is metered."""
