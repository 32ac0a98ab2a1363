"""What a run does, in turns: as many calls of a function as were wished for, then one message."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from simulators.openai.account import new_id
from simulators.openai.answers import Call, Event, Usage, total_usage
from simulators.openai.completion import Completion, Function, Wish, complete, digest
from simulators.openai.errors import ApiError
from simulators.openai.fields import JsonObject
from simulators.openai.threads import messages, new_message, tokens

UNFINISHED = ("queued", "in_progress", "requires_action")
_DONE = Event(b"event: done\ndata: [DONE]\n\n", 0)


@dataclass(frozen=True, slots=True)
class Wishes:
    """`tokens`: length of the message; `calls`: how often the caller must act before it comes."""

    tokens: int | None
    calls: int


class RunWork:
    """One run. It is booked once, on the entry of the request that began it, when it comes to its end."""

    def __init__(self, call: Call, run: JsonObject, wishes: Wishes) -> None:
        functions = [tool.get("function") or {} for tool in run["tools"] if tool.get("type") == "function"]
        self._function = functions[0] if functions else None
        self._call = call
        self._run = run
        self._wished = wishes.tokens
        self._calls_left = wishes.calls if functions else 0
        self._said: list[str] = []  # calls and their outputs, which later turns read again
        self._served: list[Usage] = []
        self._turn = self._next_turn()

    def advance(self) -> None:
        """Ends the turn under way: with a call that the caller must answer, or with the message."""
        if self._run["status"] not in ("queued", "in_progress"):
            return
        if self._turn.said.function is not None:
            self._ask()
        else:
            self._finish()

    def submit(self, outputs: list[JsonObject], now: float) -> None:
        """Answers the call, and begins the next turn now (Unix seconds)."""
        run, turn = self._run, self._turn
        given = {str(output.get("tool_call_id")): str(output.get("output", "")) for output in outputs}
        if run["status"] != "requires_action":
            raise ApiError(400, f"Runs in status '{run['status']}' do not accept tool outputs.")
        if given.keys() != {turn.call_id}:
            raise ApiError(
                400, f"Expected tool outputs for call_ids ['{turn.call_id}'].", param="tool_outputs"
            )
        step = turn.step(run, "completed", [turn.function_call(given[turn.call_id])])
        self._call.account.shelf("thread.run.step", run["id"]).add(step)
        self._said += [turn.said.text, given[turn.call_id]]
        self._calls_left -= 1
        self._turn = self._next_turn()
        run |= {"status": "queued", "required_action": None}
        self._call.account.after(now + self._call.switches.finish / 1000, self.advance)

    def cancel(self) -> None:
        """What was done until now is used."""
        self._end("cancelled", "cancelled_at")

    def events(self, *, begins: bool) -> Iterator[Event]:
        """The turn as it goes; `begins`: it is the first of the run."""
        run, turn = self._run, self._turn
        if begins:
            yield _event("thread.run.created", run)
        yield _event("thread.run.queued", run)
        run["status"] = "in_progress"
        yield _event("thread.run.in_progress", run)
        yield _event("thread.run.step.created", turn.step(run, "in_progress", []))
        yield _event("thread.run.step.in_progress", turn.step(run, "in_progress", []))
        yield from turn.deltas(run)
        self.advance()
        if run["status"] == "completed":
            shelf = messages(self._call, run["thread_id"])
            yield _event("thread.message.completed", shelf.get(turn.message_id))
            yield _event("thread.run.step.completed", turn.step(run, "completed", []))
        yield _event(f"thread.run.{run['status']}", run)
        yield _DONE

    def _next_turn(self) -> "_Turn":
        call, run = self._call, self._run
        before = sum(call.vocabulary.count(text) for text in self._said)
        prompt = tokens(call, run["thread_id"]) + call.vocabulary.count(run["instructions"]) + before
        wish = Wish(tokens=self._wished)
        if self._calls_left:
            function = self._function or {}
            wish = Wish(function=Function(function.get("name", ""), function.get("parameters"), forced=False))
        said = complete(call.vocabulary, digest(call.seed, call.model, prompt), wish)
        return _Turn(
            said, Usage(prompt, said.tokens), new_id("step_"), new_id("msg_"), new_id("call_"), call.created
        )

    def _ask(self) -> None:
        turn = self._turn
        self._served.append(turn.usage)
        step = turn.step(self._run, "in_progress", [turn.function_call(None)])
        self._call.account.shelf("thread.run.step", self._run["id"]).add(step)
        wanted = turn.function_call(None)
        del wanted["function"]["output"]
        asked = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [wanted]}}
        self._run |= {"status": "requires_action", "required_action": asked}

    def _finish(self) -> None:
        run, turn = self._run, self._turn
        self._served.append(turn.usage)
        said = {"role": "assistant", "content": turn.said.text}
        new_message(self._call, run["thread_id"], said, run, identifier=turn.message_id)
        self._call.account.shelf("thread.run.step", run["id"]).add(turn.step(run, "completed", []))
        self._end("completed", "completed_at")

    def _end(self, status: str, stamp: str) -> None:
        now, usage = int(self._call.finished_at()), total_usage(self._served)
        self._run |= {"status": status, stamp: now, "expires_at": None, "required_action": None}
        self._run["usage"] = _reported(usage)
        self._call.serve(usage)


@dataclass(frozen=True, slots=True)
class _Turn:
    said: Completion
    usage: Usage
    step_id: str
    message_id: str
    call_id: str
    created: int

    def function_call(self, output: str | None) -> JsonObject:
        named = {"name": self.said.function.name if self.said.function else "", "arguments": self.said.text}
        return {"id": self.call_id, "type": "function", "function": {**named, "output": output}}

    def step(self, run: JsonObject, status: str, calls: list[JsonObject]) -> JsonObject:
        """`calls` as they stand, where the turn is one of calls."""
        details: JsonObject = {"type": "tool_calls", "tool_calls": calls}
        if self.said.function is None:
            creation = {"message_id": self.message_id}
            details = {"type": "message_creation", "message_creation": creation}
        ended = status == "completed"
        return {
            "id": self.step_id,
            "object": "thread.run.step",
            "created_at": self.created,
            "run_id": run["id"],
            "assistant_id": run["assistant_id"],
            "thread_id": run["thread_id"],
            "type": details["type"],
            "status": status,
            "completed_at": self.created if ended else None,
            "cancelled_at": None,
            "failed_at": None,
            "expired_at": None,
            "last_error": None,
            "metadata": {},
            "step_details": details,
            "usage": _reported(self.usage) if ended else None,
        }

    def deltas(self, run: JsonObject) -> Iterator[Event]:
        if self.said.function is not None:
            yield self._call_delta({"id": self.call_id, "function": {"name": self.said.function.name}})
            for piece in self.said.pieces:
                yield self._call_delta({"function": {"arguments": piece.text}})
            return
        opened = {"id": self.message_id, "object": "thread.message", "created_at": self.created}
        opened |= {"thread_id": run["thread_id"], "run_id": run["id"], "assistant_id": run["assistant_id"]}
        opened |= {"role": "assistant", "content": [], "attachments": [], "metadata": {}}
        yield _event("thread.message.created", opened | {"status": "in_progress"})
        yield _event("thread.message.in_progress", opened | {"status": "in_progress"})
        for piece in self.said.pieces:
            content = [{"index": 0, "type": "text", "text": {"value": piece.text}}]
            delta = {"id": self.message_id, "object": "thread.message.delta", "delta": {"content": content}}
            yield _event("thread.message.delta", delta)

    def _call_delta(self, part: JsonObject) -> Event:
        details = {"type": "tool_calls", "tool_calls": [{"index": 0, "type": "function", **part}]}
        delta = {"id": self.step_id, "object": "thread.run.step.delta", "delta": {"step_details": details}}
        return _event("thread.run.step.delta", delta)


def _reported(usage: Usage) -> JsonObject:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
    }


def _event(kind: str, value: Any) -> Event:
    return Event(b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n", 0)
