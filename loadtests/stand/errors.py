"""What a measurement can't do without."""


class StandError(RuntimeError):
    """Something is missing or did not work; the message is one line that names it."""
