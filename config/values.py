"""What the values of settings look like."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from config.endpoints import Allowed, read_allowed
from config.urls import check_http_url, check_origin


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def split(value: object) -> object:
    """`a, b` as its parts; what is no text goes on as it is."""
    return [part for text in value.split(",") if (part := text.strip())] if isinstance(value, str) else value


HttpUrl = Annotated[str, AfterValidator(check_http_url)]
OneAllowed = Annotated[Allowed, BeforeValidator(read_allowed)]
Origin = Annotated[str, AfterValidator(check_origin)]
LocalPath = Annotated[Path, AfterValidator(_absolute)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
