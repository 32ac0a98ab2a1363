"""A whole form (multipart/form-data), cut into its fields and files."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.meter.form_scanner import FormScanner, Part


@dataclass(slots=True)
class Form:
    """In the order in which they stand. Files are views, not copies."""

    texts: list[Part] = field(default_factory=list)
    files: list[tuple[str, memoryview]] = field(default_factory=list)


def read_form(content_type: bytes, body: bytes) -> Form:
    """Raises MalformedFormError."""
    form, scanner = Form(), FormScanner(content_type)
    for part in scanner.feed(body):
        if part.is_file:
            form.files.append((part.name, memoryview(body)[part.start : part.end]))
        else:
            form.texts.append(part)
    scanner.finish()
    return form
