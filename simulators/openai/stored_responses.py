"""Responses that are kept, what later ones build upon, and those that are made in the background."""

from collections.abc import Callable, Iterator

from simulators.openai.account import Account, Shelf, new_id
from simulators.openai.answers import Call, Event, Usage
from simulators.openai.errors import ApiError, invalid_type
from simulators.openai.fields import Fields, JsonObject

UNFINISHED = ("queued", "in_progress")


def responses(account: Account) -> Shelf:
    return account.shelf("response")


def conversation_of(fields: Fields) -> JsonObject | None:
    """`conversation`: an id, or an object with one."""
    given = fields.get("conversation")
    identifier = given.get("id") if isinstance(given, dict) else given
    if identifier is None:
        return None
    if not isinstance(identifier, str):
        raise invalid_type("conversation", "a string or an object with an id", given)
    return {"id": identifier}


def context_tokens(call: Call) -> int:
    """Tokens of what came before, by `previous_response_id` or `conversation`, which must exist."""
    account, total = call.account, 0
    if previous := call.fields.text("previous_response_id"):
        if responses(account).find(previous) is None:
            raise ApiError(
                400,
                f"Previous response with id '{previous}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        total += account.notes[previous].get("tokens", 0)
    if conversation := conversation_of(call.fields):
        account.shelf("conversation").get(conversation["id"])
        total += account.notes[conversation["id"]].get("tokens", 0)
    return total


def input_items(call: Call) -> list[JsonObject]:
    """The input as items with ids."""
    given = call.fields.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return [as_item(item) for item in given or ()]


def as_item(item: JsonObject) -> JsonObject:
    """An item as it is kept: with an id, its text in parts."""
    kind = item.get("type", "message")
    kept = {
        "id": new_id("msg_" if kind == "message" else "item_"),
        "type": kind,
        "status": "completed",
    } | item
    if isinstance(kept.get("content"), str):
        part = "output_text" if kept.get("role") == "assistant" else "input_text"
        kept["content"] = [{"type": part, "text": kept["content"]}]
    return kept


def keep_response(call: Call, response: JsonObject, usage: Usage) -> None:
    """Keeps the response unless `store` is false, and adds its turn to its conversation."""
    account, items = call.account, input_items(call)
    if call.fields.get("store") is not False:
        responses(account).add(response)
        account.notes[response["id"]].update(tokens=usage.total, input=items)
    if conversation := conversation_of(call.fields):
        shelf = account.shelf("conversation_item", conversation["id"])
        for item in (*items, *response["output"]):
            shelf.add(item)
        account.notes[conversation["id"]]["tokens"] = usage.total


def begin_background(
    call: Call, queued: JsonObject, ended: JsonObject, usage: Usage, events: list[Event] | None = None
) -> Callable[[], None]:
    """Keeps it as queued and ends it when its time has come; returns what ends it earlier, once."""
    account, identifier = call.account, queued["id"]
    if call.fields.get("store") is False:
        raise ApiError(400, "Background responses need 'store' to be true.", param="store")
    responses(account).add(queued)
    account.notes[identifier].update(input=input_items(call), events=events)

    def begin() -> None:
        current = responses(account).find(identifier)
        if current is not None and current["status"] == "queued":
            current["status"] = "in_progress"

    def finish() -> None:
        current = responses(account).find(identifier)
        if current is not None and current["status"] in UNFINISHED:
            keep_response(call, ended, usage)
            call.serve(usage)

    account.after((call.seconds + call.finished_at()) / 2, begin)
    account.after(call.finished_at(), finish)
    return finish


def stored_events(
    call: Call, identifier: str, starting_after: int, finish: Callable[[], None] | None = None
) -> Iterator[Event]:
    """The events of a background response after the one of that sequence number; the last ends it."""
    events = call.account.notes[identifier].get("events")
    if events is None:
        raise ApiError(
            400,
            "This response cannot be streamed because it was not created with stream=true.",
            param="stream",
        )
    if finish is not None:
        call.account.notes[identifier]["finish"] = finish
    finish = call.account.notes[identifier]["finish"]
    for event in events[starting_after + 1 : -1]:
        yield Event(event.data, 0)
    finish()
    if starting_after < len(events) - 1:
        yield Event(events[-1].data, 0)
