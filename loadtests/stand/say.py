"""What a measurement prints: its figures, as they come."""


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the figures are the result
