"""Chat messages as the prompt they become: roles, texts, images, tool calls and their results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from proxy.meter.images import image_tokens
from proxy.meter.models import Family
from proxy.meter.response_formats import minified

_CALL_EXTRA = {"cl100k": 1, "o200k": 2, "gpt-5": 8}
_TEXT_PARTS = ("text", "input_text", "output_text", "summary_text")
SYSTEM_ROLES = frozenset({"system", "developer"})


@dataclass(slots=True)
class Turn:
    """One turn of the prompt: a header (role or recipient), a text, and tokens that no text shows."""

    header: str
    text: str = ""
    extra: int = 0
    headers: tuple[str, ...] = ()


@dataclass(slots=True)
class Conversation:
    """Turns in order. `exact` is lost where something in them can't be known before the call; `unknown` is
    the upper bound of what no turn shows: files, what the upstream remembers, hidden reasoning."""

    family: Family
    turns: list[Turn] = field(default_factory=list)
    exact: bool = True
    unknown: int = 0
    _names: dict[str, str] = field(default_factory=dict)

    def add_message(self, role: str, content: Any, name: Any = None) -> None:
        """A message of a role; `content` is a text or a list of parts."""
        turn = Turn(role, _own_text(content))
        if isinstance(content, list):
            turn.extra += sum(self._part_tokens(part) for part in content if isinstance(part, Mapping))
        if isinstance(name, str) and name:
            cl100k = self.family.era == "cl100k"
            turn.headers = (name if cl100k else f":{name}",)
            turn.extra += 1 if cl100k else 0
        self.turns.append(turn)

    def add_calls(self, calls: Iterable[tuple[Any, Any, Any]]) -> None:
        """The tool calls of one turn, each as its id, its name and its arguments."""
        made = []
        for ident, name, arguments in calls:
            function = name if isinstance(name, str) else ""
            if isinstance(ident, str):
                self._names[ident] = function
            made.append((function, _compact(arguments)))
        extra = _CALL_EXTRA[self.family.era]
        if len(made) == 1:
            self.turns.append(Turn(f"assistant to=functions.{made[0][0]}", made[0][1], extra))
        elif made:
            self.turns.append(Turn("assistant to=multi_tool_use.parallel", parallel_call(made), extra))
            self.exact = False

    def add_result(self, ident: Any, content: Any, name: Any = None) -> None:
        """What a tool gave back."""
        known = self._names.get(ident) if isinstance(ident, str) else None
        self.add_message(f"functions.{known or (name if isinstance(name, str) else '')}", content)

    def add_unknown(self, tokens: int) -> None:
        """Something that takes a stated upper bound."""
        self.unknown += tokens
        self.exact = False

    def _part_tokens(self, part: Mapping[str, Any]) -> int:
        kind = part.get("type")
        if kind in ("image_url", "input_image"):
            given = part.get("image_url")
            holder = given if isinstance(given, Mapping) else part
            url = holder.get("url") if holder is given else given
            tokens, exact = image_tokens(url, holder.get("detail"), self.family)
            self.exact = self.exact and exact
            return tokens
        if kind == "input_audio":
            self.exact = False
            audio = part.get("input_audio")
            return _audio_bound(audio.get("data") if isinstance(audio, Mapping) else None, self.family)
        if kind in ("file", "input_file"):
            self.add_unknown(self.family.context)
        return 0


def add_chat(conversation: Conversation, messages: Any) -> None:
    """The `messages` of a chat request. Odd ones are taken for what can be read of them."""
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, Mapping):
            continue
        role = message.get("role")
        content = message.get("content")
        if role == "tool":
            conversation.add_result(message.get("tool_call_id"), content)
        elif role == "function":
            conversation.add_result(None, content, message.get("name"))
        else:
            calls = list(_chat_calls(message))
            if not calls or content:
                conversation.add_message(role if isinstance(role, str) else "", content, message.get("name"))
            if isinstance(message.get("refusal"), str):
                conversation.turns[-1].text += message["refusal"]
            conversation.add_calls(calls)


def parallel_call(calls: list[tuple[str, str]]) -> str:
    """Several calls, each as its name and its arguments, as the one call that the model makes of them."""
    uses = ",".join(
        f'{{"recipient_name":"functions.{name}","parameters":{arguments or "{}"}}}'
        for name, arguments in calls
    )
    return f'{{"tool_uses":[{uses}]}}'


def _chat_calls(message: Mapping[str, Any]) -> Iterable[tuple[Any, Any, Any]]:
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, Mapping):
            function, custom = call.get("function"), call.get("custom")
            if isinstance(function, Mapping):
                yield call.get("id"), function.get("name"), function.get("arguments")
            elif isinstance(custom, Mapping):
                yield call.get("id"), custom.get("name"), custom.get("input")
    legacy = message.get("function_call")
    if isinstance(legacy, Mapping):
        yield None, legacy.get("name"), legacy.get("arguments")


def _own_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping):
            text = part.get("text") if part.get("type") in _TEXT_PARTS else part.get("refusal")
            if isinstance(text, str):
                texts.append(text)
    return "".join(texts)


def _compact(arguments: Any) -> str:
    """Arguments without white space between their tokens; as they are where they are no JSON."""
    if not isinstance(arguments, str):
        return "" if arguments is None else minified(arguments)
    try:
        return minified(orjson.loads(arguments)) or arguments
    except ValueError:
        return arguments


def _audio_bound(data: Any, family: Family) -> int:
    """Ten tokens a second, at no less than 1,000 bytes a second (the sparsest MP3)."""
    if not isinstance(data, str):
        return family.context
    return min(len(data) * 3 // 400 + 10, family.context)
