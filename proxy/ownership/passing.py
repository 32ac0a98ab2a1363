"""A form that passes on its way upstream: what its fields refer to must be the caller's."""

from collections.abc import Awaitable, Callable
from typing import Final

from proxy.endpoints import forms
from proxy.meter.form_scanner import FormScanner
from proxy.meter.part_head import MalformedFormError
from proxy.ownership.mentions import mentioned_in_form

_LONGEST_TEXT: Final = 64 * 1024
"""Of a field that is no file, and so is held until it is known what it says."""


class PassingForm:
    def __init__(self, content_type: bytes, require: Callable[[set[str]], Awaitable[object]]) -> None:
        """`require` raises Refusal for ids that are not the caller's. Raises Refusal 400, as `look` does."""
        self._require = require
        try:
            self._scanner = FormScanner(content_type, _LONGEST_TEXT)
        except MalformedFormError as error:
            raise forms.no_form(error) from None

    async def look(self, piece: bytes, last: bool) -> None:
        """To be awaited before `piece` goes on: what ends in it is checked then."""
        ids: set[str] = set()
        try:
            for part in self._scanner.feed(piece):
                ids |= _referred(part.name, part.value, is_file=part.is_file)
            if last:
                self._scanner.finish()
        except MalformedFormError as error:
            raise forms.no_form(error) from None
        if ids:
            await self._require(ids)


def _referred(name: str, value: str, *, is_file: bool) -> set[str]:
    if is_file:
        forms.check_file(name)
        return set()
    return mentioned_in_form(forms.request_of([(name, value)]))
