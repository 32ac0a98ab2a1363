"""Which project a request is for."""

from collections.abc import Iterable
from typing import Final

from proxy.errors import Refusal
from proxy.identity.principal import Principal

_HEADER: Final = b"openai-project"


def project_of(principal: Principal, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key's own project, else the one `OpenAI-Project` names. Raises Refusal 401 for another's."""
    named = ""
    for name, value in headers:
        if name == _HEADER:
            named = value.decode("latin-1")
            break
    if not named:
        return principal.project_id
    if named != principal.project_id and (principal.project_id or named not in principal.projects):
        raise Refusal(
            401, "OpenAI-Project header should match project for API key", code="mismatched_project"
        )
    return named
