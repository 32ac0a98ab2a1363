"""An answer that is a file instead of JSON."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, slots=True)
class File:
    """`name` is what the client may save it as: letters, digits, dots and dashes."""

    content: bytes
    media_type: str
    name: str

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"content-disposition", f'attachment; filename="{self.name}"'.encode("ascii"))]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "binary"}
