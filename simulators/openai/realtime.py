"""A Realtime session over a WebSocket: text in, text out, usage with every response."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from typing import Any

import orjson
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable

from simulators.openai.account import new_id
from simulators.openai.answers import Usage
from simulators.openai.completion import Wish, complete, digest
from simulators.openai.fields import JsonObject
from simulators.openai.switches import Switches
from simulators.openai.vocabulary import Vocabulary

LONGEST_SILENCE = 3600.0  # seconds until a session ends by itself
AUDIO_BYTES_PER_TOKEN = 4800  # 24,000 samples of two bytes a second, ten tokens


class Session:
    """`serve` books what each response costs."""

    def __init__(
        self,
        send: ASGISendCallable,
        model: str,
        switches: Switches,
        vocabulary: Vocabulary,
        seed: int,
        serve: Callable[[Usage], None],
    ) -> None:
        self._send = send
        self._model = model
        self._switches = switches
        self._vocabulary = vocabulary
        self._seed = seed
        self._serve = serve
        self._audio = 0  # bytes that wait for a commit
        self._heard, self._text = 0, 0  # tokens of the conversation
        self._session: JsonObject = {
            "id": new_id("sess_"),
            "object": "realtime.session",
            "type": "realtime",
            "model": model,
            "output_modalities": ["text"],
            "instructions": "",
            "tools": [],
        }

    async def run(self, receive: ASGIReceiveCallable, silence: float = LONGEST_SILENCE) -> None:
        """Until the client leaves; raises TimeoutError once it was silent for too long."""
        await self._tell("session.created", session=self._session)
        while True:
            async with asyncio.timeout(silence):
                message = await receive()
            if message["type"] != "websocket.receive":
                return
            try:
                event = orjson.loads(message.get("text") or message.get("bytes") or b"")
            except orjson.JSONDecodeError:
                event = None
            if isinstance(event, dict):
                await self._answer(event)
            else:
                await self._refuse("Could not parse the event as a JSON object.")

    async def _answer(self, event: JsonObject) -> None:
        match event.get("type"):
            case "session.update":
                wished = event.get("session")
                self._session |= wished if isinstance(wished, dict) else {}
                await self._tell("session.updated", session=self._session)
            case "conversation.item.create":
                item = event.get("item")
                await self._add(item if isinstance(item, dict) else {})
            case "input_audio_buffer.append":
                await self._listen(event.get("audio"))
            case "input_audio_buffer.clear":
                self._audio = 0
                await self._tell("input_audio_buffer.cleared")
            case "input_audio_buffer.commit":
                self._heard += -(-self._audio // AUDIO_BYTES_PER_TOKEN)
                self._audio = 0
                item_id = new_id("item_")
                await self._tell("input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
                content = [{"type": "input_audio", "transcript": None}]
                await self._add({"id": item_id, "type": "message", "role": "user", "content": content})
            case "response.create":
                await self._respond()
            case "response.cancel":
                await self._refuse("Cancellation failed: no active response found")
            case kind:
                await self._refuse(f"Invalid value: '{str(kind)[:100]}'.")

    async def _listen(self, audio: Any) -> None:
        try:
            self._audio += len(base64.b64decode(audio, validate=True))
        except (TypeError, ValueError, binascii.Error):
            await self._refuse("Invalid 'audio': expected base64.")

    async def _add(self, item: JsonObject) -> None:
        item = {"id": new_id("item_"), "object": "realtime.item", "status": "completed"} | item
        content = item.get("content")
        parts: list[Any] = content if isinstance(content, list) else []
        for part in parts:
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str):
                self._text += self._vocabulary.count(text)
        for kind in ("conversation.item.added", "conversation.item.done"):
            await self._tell(kind, item=item, previous_item_id=None)

    async def _respond(self) -> None:
        await asyncio.sleep(self._switches.delay / 1000)
        seed = digest(self._seed, self._model, self._text, self._heard)
        said = complete(self._vocabulary, seed, Wish(tokens=self._switches.tokens))
        prompt = self._text + self._heard
        usage = Usage(prompt, said.tokens, min(self._switches.cached, prompt))
        response: JsonObject = {
            "id": new_id("resp_"),
            "object": "realtime.response",
            "status": "in_progress",
            "output": [],
            "usage": None,
        }
        item: JsonObject = {"id": new_id("item_"), "object": "realtime.item", "type": "message"}
        item |= {"role": "assistant", "status": "in_progress", "content": []}
        place = {"response_id": response["id"], "output_index": 0}
        within = place | {"item_id": item["id"], "content_index": 0}
        await self._tell("response.created", response=response)
        await self._tell("response.output_item.added", **place, item=item)
        for piece in said.pieces:
            await self._tell("response.output_text.delta", **within, delta=piece.text)
            await asyncio.sleep(self._switches.pace / 1000)
        await self._tell("response.output_text.done", **within, text=said.text)
        item |= {"status": "completed", "content": [{"type": "output_text", "text": said.text}]}
        await self._tell("response.output_item.done", **place, item=item)
        reported = None if self._switches.no_usage else self._reported(usage)
        self._text += said.tokens
        self._serve(usage)
        response |= {"status": "completed", "output": [item], "usage": reported}
        await self._tell("response.done", response=response)

    def _reported(self, usage: Usage) -> JsonObject:
        return {
            "total_tokens": usage.total,
            "input_tokens": usage.prompt,
            "output_tokens": usage.completion,
            "input_token_details": {
                "text_tokens": self._text,
                "audio_tokens": self._heard,
                "image_tokens": 0,
                "cached_tokens": usage.cached,
                "cached_tokens_details": {"text_tokens": usage.cached, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": usage.completion, "audio_tokens": 0},
        }

    async def _tell(self, kind: str, **members: Any) -> None:
        event = {"type": kind, "event_id": new_id("event_")} | members
        await self._send({"type": "websocket.send", "text": orjson.dumps(event).decode()})

    async def _refuse(self, message: str) -> None:
        error = {"type": "invalid_request_error", "code": "invalid_value", "message": message}
        await self._tell("error", error=error | {"param": None, "event_id": None})
