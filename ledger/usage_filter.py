"""Which usage is meant: a span of time, and objects."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Filter:
    """`start` <= time < `end`, of the named objects. None does not filter."""

    start: datetime | None = None
    end: datetime | None = None
    organization_id: str | None = None
    project_id: str | None = None
    key_id: str | None = None
    member_id: str | None = None
    model: str | None = None

    @property
    def objects(self) -> dict[str, str]:
        """By column."""
        named = {
            "organization_id": self.organization_id,
            "project_id": self.project_id,
            "key_id": self.key_id,
            "member_id": self.member_id,
            "model": self.model,
        }
        return {column: value for column, value in named.items() if value is not None}

    def condition(self, values: list[Any], time: str = "occurred_at") -> str:
        """Of a query whose parameters are `values`; appends its own to them."""
        asked: list[tuple[str, object]] = [(f"{column} =", value) for column, value in self.objects.items()]
        asked += [(f"{time} >=", self.start)] if self.start is not None else []
        asked += [(f"{time} <", self.end)] if self.end is not None else []
        start = len(values) + 1
        values += [value for _, value in asked]
        return " and ".join(f"{text} ${number}" for number, (text, _) in enumerate(asked, start)) or "true"
