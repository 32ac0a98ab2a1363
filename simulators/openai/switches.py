"""What a caller asks the simulator to do: `key=value;...` in `x-sim` or after `+` in the model's name."""

from dataclasses import dataclass, replace

from simulators.openai.catalogue import is_known
from simulators.openai.errors import ApiError, unknown_model

# key -> (lowest, highest) value; the value of a bare key is 1.
BOUNDS: dict[str, tuple[int, int]] = {
    "delay": (0, 600_000),
    "pace": (0, 60_000),
    "tokens": (0, 200_000),
    "status": (400, 599),
    "retry_after": (0, 86_400),
    "cut": (0, 1_000_000),
    "hang": (0, 1_000_000),
    "error_event": (0, 1_000_000),
    "no_usage": (0, 1),
    "cached": (0, 10_000_000),
    "reasoning": (0, 10_000_000),
    "chunks_per_write": (1, 1_000_000),
    "crlf": (0, 1),
    "comment": (0, 1_000_000),
    "gzip": (0, 1),
    "finish": (0, 86_400_000),
    "fail_first": (1, 1000),
    "requires_action": (0, 100),
    "tier": (0, 2),
    "sound": (0, 10_000_000),
}

_TIERS = ("default", "flex", "priority")


@dataclass(frozen=True, slots=True)
class Switches:
    """delay, pace and finish are milliseconds, retry_after seconds; cut, hang, error_event and comment chunks."""

    delay: int = 0
    pace: int = 0
    tokens: int | None = None
    status: int | None = None
    retry_after: int | None = None
    cut: int | None = None
    hang: int | None = None
    error_event: int | None = None
    no_usage: int = 0
    cached: int = 0
    reasoning: int = 0
    chunks_per_write: int = 1
    crlf: int = 0
    comment: int = 0
    gzip: int = 0
    finish: int = 0
    fail_first: int = 0
    requires_action: int = 0
    tier: int | None = None
    sound: int = 0

    def served_at(self, asked: object) -> str:
        """The service tier of the answer."""
        if self.tier is not None:
            return _TIERS[self.tier]
        return asked if isinstance(asked, str) and asked in _TIERS else "default"


NONE = Switches()


def read_switches(header: str | None, suffix: str) -> Switches:
    """The switches of a request; what the header says goes before what the model's name says."""
    wishes = _parse(suffix, "model") if suffix else {}
    if header:
        wishes |= _parse(header, "x-sim")
    return replace(NONE, **wishes) if wishes else NONE


def split_model(name: str) -> tuple[str, str]:
    """`gpt-4o+tokens=5` -> (`gpt-4o`, `tokens=5`)."""
    model, _, suffix = name.partition("+")
    return model, suffix


def known_model(name: str) -> tuple[str, str]:
    """As `split_model`. Raises a 404 for a model that nobody knows."""
    model, suffix = split_model(name)
    if not is_known(model):
        raise unknown_model(model)
    return model, suffix


def _parse(text: str, param: str) -> dict[str, int]:
    wishes: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        key, separator, value = (piece.strip() for piece in part.partition("="))
        if key not in BOUNDS:
            raise _refusal(param, f"unknown switch '{key}'. Known are: {', '.join(BOUNDS)}.")
        if key in wishes:
            raise _refusal(param, f"switch '{key}' is given twice.")
        wishes[key] = _number(key, value, param) if separator else 1
        low, high = BOUNDS[key]
        if not low <= wishes[key] <= high:
            raise _refusal(param, f"switch '{key}' must be between {low} and {high}, not {wishes[key]}.")
    return wishes


def _number(key: str, value: str, param: str) -> int:
    if value in ("true", "false"):
        return int(value == "true")
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise _refusal(param, f"switch '{key}' needs a whole number, not '{value[:40]}'.")
    return int(value)


def _refusal(param: str, message: str) -> ApiError:
    return ApiError(400, f"Simulator: {message}", param=param, code="unknown_switch")
