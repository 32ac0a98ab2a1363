"""How much: usage in every shape OpenAI reports it, and the tokenizer where it reports none."""
