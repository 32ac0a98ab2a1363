"""Assistants, threads, messages and runs."""

from proxy.endpoints.endpoint import Endpoint, Lists
from proxy.meter import meters

_ASSISTANTS = "/v1/assistants"
_ASSISTANT = _ASSISTANTS + "/{assistant}"
_THREADS = "/v1/threads"
_THREAD = _THREADS + "/{thread}"
_MESSAGES = _THREAD + "/messages"
_MESSAGE = _MESSAGES + "/{message}"
_RUNS = _THREAD + "/runs"
_RUN = _RUNS + "/{run}"
_STORES = (("tool_resources.file_search.vector_store_ids", "vector_store"),)
"""Stores that are made on the way, of the files that a thread or an assistant is made with."""
_PICTURES = (("content.image_file.file_id", "file"), ("attachments.file_id", "file"))
"""Files that the code interpreter wrote."""
_STREAMED = (("thread_id", "thread"), *_PICTURES)

ENDPOINTS = (
    Endpoint("assistants.create", "POST", _ASSISTANTS, creates="assistant", brings=_STORES, needs_model=True),
    Endpoint("assistants", "GET", _ASSISTANTS, lists=Lists("assistant")),
    Endpoint("assistants.retrieve", "GET", _ASSISTANT),
    Endpoint("assistants.update", "POST", _ASSISTANT, brings=_STORES),
    Endpoint("assistants.delete", "DELETE", _ASSISTANT),
    Endpoint("threads.create", "POST", _THREADS, creates="thread", brings=_STORES),
    Endpoint("threads.retrieve", "GET", _THREAD),
    Endpoint("threads.update", "POST", _THREAD, brings=_STORES),
    Endpoint("threads.delete", "DELETE", _THREAD),
    Endpoint("threads.messages.create", "POST", _MESSAGES),
    Endpoint(
        "threads.messages", "GET", _MESSAGES, brings=tuple((f"data.{path}", kind) for path, kind in _PICTURES)
    ),
    Endpoint("threads.messages.retrieve", "GET", _MESSAGE, brings=_PICTURES),
    Endpoint("threads.messages.update", "POST", _MESSAGE),
    Endpoint("threads.messages.delete", "DELETE", _MESSAGE),
    Endpoint(
        "threads.runs.create_with_thread",
        "POST",
        _THREADS + "/runs",
        meters.text,
        output_bound="max_completion_tokens",
        creates="run",
        brings=_STREAMED,
        defers="run",
    ),
    Endpoint(
        "threads.runs.create",
        "POST",
        _RUNS,
        meters.text,
        output_bound="max_completion_tokens",
        creates="run",
        brings=_PICTURES,
        defers="run",
    ),
    Endpoint("threads.runs", "GET", _RUNS),
    Endpoint("threads.runs.retrieve", "GET", _RUN, polls="run"),
    Endpoint("threads.runs.update", "POST", _RUN),
    Endpoint("threads.runs.cancel", "POST", _RUN + "/cancel", polls="run"),
    Endpoint(
        "threads.runs.submit_tool_outputs",
        "POST",
        _RUN + "/submit_tool_outputs",
        brings=_PICTURES,
        polls="run",
    ),
    Endpoint("threads.runs.steps", "GET", _RUN + "/steps"),
    Endpoint("threads.runs.steps.retrieve", "GET", _RUN + "/steps/{step}"),
)
