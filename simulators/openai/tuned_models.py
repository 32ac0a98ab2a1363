"""Models that fine-tuning made: listed until they are deleted."""

from simulators.openai.account import Account, Shelf
from simulators.openai.answers import Call
from simulators.openai.fields import JsonObject


def tuned_models(account: Account) -> Shelf:
    return account.shelf("model")


def new_model(call: Call, name: str) -> JsonObject:
    made = {"id": name, "object": "model", "created": call.created, "owned_by": "org-simulated"}
    return tuned_models(call.account).add(made)
