"""The meters of what is made of text. Those of images, speech and transcriptions have files of their own."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.usage import Usage
from proxy.meter.answer import Answer
from proxy.meter.completion import count_completion
from proxy.meter.jobs import read_job
from proxy.meter.metering import Metered, Request
from proxy.meter.output import TokenCounter
from proxy.meter.tool_calls import count_calls, searches_of_chat, session_kind
from proxy.meter.usage import with_quantities


def free(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """Moderations, and all that only looks at objects or deletes them."""
    return Metered(Usage(), "provider")


def text(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """Completions, embeddings, compactions, runs: tokens, as reported, else as counted."""
    usage = answer.usage
    return Metered(usage, "provider") if usage is not None else _counted(request, answer, counter, {})


def chat(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """Chat completions: tokens, and the search of a model that searches before it answers."""
    metered = text(request, answer, counter)
    if not metered.usage.output_tokens:
        return metered
    searches = searches_of_chat(request.fields, request.model)
    return Metered(with_quantities(metered.usage, searches), metered.source)


def responses(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """Responses: tokens and calls of the provider's tools, also of a stream that was cut."""
    usage = answer.usage
    if usage is not None:
        return Metered(usage, "provider")
    called = count_calls(answer.called, request.fields.get("tools"), request.model)
    return _counted(request, answer, counter, called)


def container(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """A container made for the code interpreter: calls that name it are not charged for it again."""
    return Metered(Usage(quantities={session_kind(request.fields): 1}), "provider")


def work(request: Request, answer: Answer, counter: TokenCounter) -> Metered:
    """Batches, fine-tuning jobs, videos: what they used is told when they have ended, hardly ever at once."""
    job = read_job(answer.decoded())
    used = None if job is None else job.usage
    return Metered(Usage(), "unknown") if used is None else Metered(used, "provider")


def _counted(
    request: Request, answer: Answer, counter: TokenCounter, quantities: Mapping[str, int]
) -> Metered:
    delivered = count_completion(answer.output, request.fields, counter)
    if answer.partial and request.most_output is not None:
        delivered = min(delivered, request.most_output)
    return Metered(Usage(request.prompt_tokens, output_tokens=delivered, quantities=quantities), "tokenizer")
