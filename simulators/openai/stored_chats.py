"""Chat completions that the caller wants kept (`store`)."""

from simulators.openai.account import Account, Shelf, new_id
from simulators.openai.answers import Call
from simulators.openai.fields import JsonObject


def chats(account: Account) -> Shelf:
    return account.shelf("chat.completion")


def keep_chat(call: Call, body: JsonObject) -> None:
    chats(call.account).add(body | {"metadata": call.fields.object("metadata") or {}})
    messages = [{"id": new_id("msg_")} | message for message in call.fields.objects("messages")]
    call.account.notes[body["id"]]["messages"] = messages
