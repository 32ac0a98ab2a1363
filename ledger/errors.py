"""What the ledger refuses, in words fit for whoever asked."""


class LedgerError(Exception):
    """`param` names the field of the request that is to blame, if one is."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class NotFoundError(LedgerError):
    """There is no such object."""

    def __init__(self, noun: str, identifier: str) -> None:
        super().__init__(f"there is no {noun} '{identifier}'")


class ConflictError(LedgerError):
    """The object cannot change in this way in the state that it is in."""


class BadReferenceError(LedgerError):
    """A field names an object that does not exist here or may not be used."""


class PlanLimitError(LedgerError):
    """The organization's plan allows no more objects of this kind."""
