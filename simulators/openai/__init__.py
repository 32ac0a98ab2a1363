"""A simulated OpenAI: `python -m simulators.openai --port N`. See simulators/README.md."""
