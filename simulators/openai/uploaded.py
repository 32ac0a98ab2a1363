"""Files of the account: an object, and the content that belongs to it."""

from simulators.openai.account import Account, Shelf, new_id
from simulators.openai.answers import Call
from simulators.openai.fields import JsonObject


def files(account: Account) -> Shelf:
    return account.shelf("file")


def new_file(call: Call, filename: str, purpose: str, content: bytes | bytearray) -> JsonObject:
    made = files(call.account).add(
        {
            "id": new_id("file-"),
            "object": "file",
            "bytes": len(content),
            "created_at": call.created,
            "expires_at": None,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
            "status_details": None,
        }
    )
    call.account.contents[made["id"]] = content
    return made
