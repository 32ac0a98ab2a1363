"""Identifiers of the domain's objects: a prefix that says what it is, and 96 random bits."""

import os
from typing import Literal

Prefix = Literal[
    "org",
    "proj",
    "mem",
    "key",
    "plan",
    "sub",
    "req",
    "aud",
    "pack",
    "adj",
    "note",
    "mail",
    "inv",
    "rep",
    "ins",
]


def new_id(prefix: Prefix) -> str:
    """A fresh identifier such as `org_5f0c...` (24 hex digits)."""
    return f"{prefix}_{os.urandom(12).hex()}"
