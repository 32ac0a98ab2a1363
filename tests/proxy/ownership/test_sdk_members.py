"""Every member of a request that could name an object upstream is one that is looked at, or is known to name none."""

import re

from proxy.ownership.mentions import REFERENCES
from tests.sdk_members import members

LIKE_AN_ID = re.compile(
    r"(^|_)ids?$|_file$|_references?$"
    r"|^(file|files|container|conversation|thread|store|video|image|audio|voice|session|response|source|item|upload)$"
)
REFUSED = (
    "admin.",
    "audio.voice",
    "beta.agent",
    "beta.chatkit",
    "decision_",
    "fine_tuning.alpha.",
    "fine_tuning.checkpoints.",
    "live",
    "skill",
    "video_create_character",
    "video_edit",
    "video_extend",
    "webhook",
)
"""Modules of what does not pass."""
NAMES_NONE = {
    "approval_request_id": "of an item in the same request, or in the answer that it goes on from",
    "call_id": "as above: a call of a function",
    "caller_id": "as above: who called it",
    "tool_call_id": "as above: of a chat, or a run in the path",
    "id": "an item's own; items that are looked up by it, and parents of it, are looked at",
    "item": "a row of an eval: it is looked into like all else",
    "eval_id": "stands in the path",
    "run_id": "stands in the path, or chooses among the messages of a thread in the path",
    "connector_id": "services of others, opened by a token in the same request",
    "tunnel_id": "of the account: no call through us makes one",
    "skill_id": "of the account: no call through us makes one",
    "voice": "of everybody or of the account: no call through us makes one",
    "group_id": "a label of traces",
    "file": "content, or an object with a file_id or content",
    "files": "objects with a file_id",
    "image": "content, or an object with a file_id",
    "image_file": "an object with a file_id",
    "input_reference": "content, or an object with a file_id",
    "known_speaker_references": "content",
    "item_reference": "a place within a row",
    "store": "whether to keep the answer",
    "session": "an object that is looked into",
    "source": "an object that is looked into: one of type file_id names a file by its id",
    "thread": "an object that is looked into",
}


def test_what_may_be_an_id_is_looked_at_or_is_known_to_be_none() -> None:
    found = {name: place for name, place in members(REFUSED) if LIKE_AN_ID.search(name)}
    assert {name: found[name] for name in found.keys() - REFERENCES - NAMES_NONE.keys()} == {}
    assert NAMES_NONE.keys() - found.keys() == set(), "these stand here for nothing"
