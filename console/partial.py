"""Models of changes: every field of another model, none of them required."""

from typing import Any

from pydantic import BaseModel, Field, create_model

from console.call import Input


def partial(name: str, model: type[BaseModel], *, without: frozenset[str] = frozenset()) -> type[BaseModel]:
    """A model that takes any of `model`'s fields; `changes` gives those that were sent."""
    fields: dict[str, Any] = {
        field_name: (field.rebuild_annotation(), Field(default_factory=lambda: None))
        for field_name, field in model.model_fields.items()
        if field_name not in without
    }
    return create_model(name, __base__=Input, __doc__="What is not sent stays as it is.", **fields)


def changes(body: BaseModel) -> dict[str, Any]:
    """What the request sets, nested objects too by their sent fields only."""
    return body.model_dump(exclude_unset=True)
