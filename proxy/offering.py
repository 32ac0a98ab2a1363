"""What a call is offered before its hold: where its body leaves unsaid what it may come to, the upstream is asked."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ledger.upstream_objects import Place
from proxy.deferred.batch_input import BatchInput
from proxy.deferred.eval_input import Items, Rows, brings_messages, eval_total, items_of, source_of
from proxy.deferred.total import Total
from proxy.endpoints.asked import Asked
from proxy.errors import Refusal
from proxy.foreseen import Foreseen, foresee
from proxy.house import House
from proxy.identity.principal import Principal
from proxy.offer import Offer, check_endpoint, check_plan, offer, quote_for
from proxy.ownership.register import keeper_of, nothing_with
from proxy.pricing import Quote
from proxy.unpriced import check_kinds
from proxy.upstream.asking import object_at, read_file

_COUNTED_ON_THE_LOOP: Final = 64 * 1024
"""Bytes of a body up to which its tokens are counted here and now; a larger one is counted in a thread."""
_BATCH_TIER: Final = "batch"
_BYTES_PER_TOKEN: Final = 3
_EPOCHS: Final = 4
"""Of a fine-tuning job whose provider chooses them."""


@dataclass(frozen=True, slots=True)
class Offering:
    """For one call: `places` are those of the objects that it refers to, `ids` stand in its path."""

    house: House
    principal: Principal
    project_id: str | None
    places: Mapping[str, Place]
    ids: Mapping[str, str]

    async def of(self, asked: Asked) -> tuple[Asked, Offer]:
        """The call, with the model that it will be known by. Raises Refusal for what the plan excludes, and for what
        can't be understood or found."""
        match asked.endpoint.defers:
            case "batch":
                check_endpoint(asked.endpoint, self.principal)
                return await self._batch(asked)
            case "eval_run":
                check_endpoint(asked.endpoint, self.principal)
                return await self._eval_run(asked)
            case "run" if not asked.model:
                asked = await self._run(asked)
            case "video" if "video" in self.ids:
                asked = await self._remix(asked)
        quote = self._quote(asked)
        training = asked.endpoint.defers == "fine_tuning_job"
        foreseen = await (self._training(asked) if training else self._foreseen(asked))
        return asked, self._offer(asked, foreseen, quote)

    def _offer(self, asked: Asked, foreseen: Foreseen, quote: Quote) -> Offer:
        check_kinds(asked, foreseen, quote, self.principal)
        return offer(asked, foreseen, quote)

    def _quote(self, asked: Asked, service_tier: str | None = None) -> Quote:
        quote = quote_for(asked, self.principal, self.house.prices)
        check_plan(asked, self.principal, quote)
        return quote if service_tier is None else replace(quote, service_tier=service_tier)

    async def _foreseen(self, asked: Asked) -> Foreseen:
        if len(asked.body) <= _COUNTED_ON_THE_LOOP:
            return foresee(asked, self.house.tokenizers)
        return await asyncio.to_thread(foresee, asked, self.house.tokenizers)

    async def _run(self, asked: Asked) -> Asked:
        """A run that names no model has its assistant's."""
        assistant_id, keeper = self._named(asked, "assistant_id")
        assistant = await object_at(self.house.route, f"/v1/assistants/{assistant_id}", keeper)
        model = assistant.get("model")
        return replace(asked, model=model) if isinstance(model, str) else asked

    async def _remix(self, asked: Asked) -> Asked:
        """A video made of another has its model, length and size."""
        video_id = self.ids["video"]
        keeper = self.places[video_id].upstream
        video = await object_at(self.house.route, f"/v1/videos/{video_id}", keeper)
        same = {name: video[name] for name in ("seconds", "size") if name in video}
        model = video.get("model")
        request = {**asked.request, **same}
        return replace(asked, request=request, model=model if isinstance(model, str) else "")

    async def _training(self, asked: Asked) -> Foreseen:
        """A job reads its file so many times; how many tokens that has is not known before, its bytes are."""
        file_id, keeper = self._named(asked, "training_file")
        size = (await object_at(self.house.route, f"/v1/files/{file_id}", keeper)).get("bytes")
        read = size // _BYTES_PER_TOKEN * _epochs(asked.request) if isinstance(size, int) and size > 0 else 0
        return Foreseen(quantities={"trained_token": read} if read else {})

    async def _batch(self, asked: Asked) -> tuple[Asked, Offer]:
        """A batch comes to what the lines of its file do, each as if it were a call, at the batch rate."""
        file_id, keeper = self._named(asked, "input_file_id")
        endpoint = asked.request.get("endpoint")
        if not isinstance(endpoint, str):
            raise _missing("endpoint")
        lines = BatchInput(endpoint, self._of_line)
        await read_file(self.house.route, file_id, keeper, lines.feed)
        await asyncio.to_thread(lines.end)
        await self._require(lines.mentioned)
        return self._of_total(asked, lines.total, _BATCH_TIER)

    async def _require(self, ids: Collection[str]) -> None:
        """Of what the lines of a file refer to, as of what the request does."""
        found = await self.house.register.require(self.principal, self.project_id, ids)
        keeper_of({**self.places, **found})

    def _of_line(self, asked: Asked) -> Offer:
        quote = self._quote(asked, _BATCH_TIER)
        return self._offer(asked, foresee(asked, self.house.tokenizers), quote)

    async def _eval_run(self, asked: Asked) -> tuple[Asked, Offer]:
        """A run of an eval comes to what its models may read and write."""
        source = source_of(asked.request)
        items = items_of(source)
        if source.get("type") == "file_id":
            items = await self._items_of_file(source, messages=brings_messages(asked.request))
        eval_id = self.ids["eval"]
        told = await object_at(self.house.route, f"/v1/evals/{eval_id}", self.places[eval_id].upstream)
        total = eval_total(
            asked.request,
            told.get("testing_criteria"),
            items,
            lambda model: self._quote(replace(asked, model=model)),
        )
        return self._of_total(asked, total, "default")

    async def _items_of_file(self, source: Mapping[str, Any], *, messages: bool) -> Items:
        file_id = source.get("id")
        if not isinstance(file_id, str) or file_id not in self.places:
            raise nothing_with(str(file_id))
        rows = Rows(messages=messages)
        await read_file(self.house.route, file_id, self.places[file_id].upstream, rows.feed)
        items = rows.end()
        await self._require(rows.mentioned)
        return items

    def _of_total(self, asked: Asked, total: Total, service_tier: str) -> tuple[Asked, Offer]:
        """A call whose work asks one model alone is known by it."""
        asked = replace(asked, model=next(iter(total.models)) if len(total.models) == 1 else "")
        quote = replace(quote_for(asked, self.principal, self.house.prices), service_tier=service_tier)
        return asked, Offer(Foreseen(), total.demand, quote, total.most)

    def _named(self, asked: Asked, member: str) -> tuple[str, str]:
        """The object that a member of the body names, and where it lies."""
        identifier = asked.request.get(member)
        if not isinstance(identifier, str):
            raise _missing(member)
        if identifier not in self.places:
            raise nothing_with(identifier)
        return identifier, self.places[identifier].upstream


def _missing(member: str) -> Refusal:
    return Refusal(
        400, f"Missing required parameter: '{member}'.", code="missing_required_parameter", param=member
    )


def _epochs(request: Mapping[str, Any]) -> int:
    """As often as a fine-tuning job says that it reads its file, in either of two places."""
    method = request.get("method")
    kind = method.get("type") if isinstance(method, dict) else None
    inner = method.get(kind) if isinstance(method, dict) and isinstance(kind, str) else None
    newer = inner.get("hyperparameters") if isinstance(inner, dict) else None
    for settings in (newer, request.get("hyperparameters")):
        epochs = settings.get("n_epochs") if isinstance(settings, dict) else None
        if type(epochs) is int and 0 < epochs <= 1000:
            return epochs
    return _EPOCHS
