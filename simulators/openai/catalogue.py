"""The models that the simulated OpenAI knows, and which vocabulary each counts with."""

CREATED = 1_715_367_049  # one date for all: nothing depends on it

MODELS: tuple[str, ...] = (
    "babbage-002",
    "chatgpt-4o-latest",
    "dall-e-2",
    "dall-e-3",
    "davinci-002",
    "gpt-3.5-turbo",
    "gpt-3.5-turbo-0125",
    "gpt-3.5-turbo-1106",
    "gpt-3.5-turbo-16k",
    "gpt-3.5-turbo-instruct",
    "gpt-4",
    "gpt-4-0613",
    "gpt-4-turbo",
    "gpt-4-turbo-2024-04-09",
    "gpt-4.1",
    "gpt-4.1-2025-04-14",
    "gpt-4.1-mini",
    "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano",
    "gpt-4.1-nano-2025-04-14",
    "gpt-4.5-preview",
    "gpt-4o",
    "gpt-4o-2024-05-13",
    "gpt-4o-2024-08-06",
    "gpt-4o-2024-11-20",
    "gpt-4o-audio-preview",
    "gpt-4o-mini",
    "gpt-4o-mini-2024-07-18",
    "gpt-4o-mini-search-preview",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-tts",
    "gpt-4o-realtime-preview",
    "gpt-4o-search-preview",
    "gpt-4o-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-5",
    "gpt-5-2025-08-07",
    "gpt-5-chat-latest",
    "gpt-5-codex",
    "gpt-5-mini",
    "gpt-5-mini-2025-08-07",
    "gpt-5-nano",
    "gpt-5-nano-2025-08-07",
    "gpt-5-pro",
    "gpt-5.1",
    "gpt-5.1-2025-11-13",
    "gpt-5.1-codex",
    "gpt-5.1-codex-mini",
    "gpt-5.2",
    "gpt-5.2-2025-12-11",
    "gpt-5.2-pro",
    "gpt-5.3",
    "gpt-5.3-codex",
    "gpt-5.4",
    "gpt-5.4-2026-03-05",
    "gpt-5.4-mini",
    "gpt-5.4-mini-2026-03-17",
    "gpt-5.4-nano",
    "gpt-5.4-pro",
    "gpt-5.5",
    "gpt-5.5-2026-04-23",
    "gpt-5.5-pro",
    "gpt-5.6",
    "gpt-5.6-luna",
    "gpt-5.6-sol",
    "gpt-5.6-terra",
    "gpt-6-astra",
    "gpt-6-luna",
    "gpt-6-sol",
    "gpt-6.1-sol",
    "gpt-6.1-terra",
    "gpt-audio",
    "gpt-audio-mini",
    "gpt-image-1",
    "gpt-image-1-mini",
    "gpt-image-1.5",
    "gpt-realtime",
    "gpt-realtime-mini",
    "o1",
    "o1-mini",
    "o1-pro",
    "o3",
    "o3-2025-04-16",
    "o3-mini",
    "o3-mini-2025-01-31",
    "o3-pro",
    "o4-mini",
    "o4-mini-2025-04-16",
    "omni-moderation-latest",
    "sora-2",
    "sora-2-pro",
    "text-embedding-3-large",
    "text-embedding-3-small",
    "text-embedding-ada-002",
    "text-moderation-latest",
    "tts-1",
    "tts-1-hd",
    "whisper-1",
)
_KNOWN = frozenset(MODELS)
_CL100K = ("gpt-3.5", "gpt-4", "text-embedding", "davinci", "babbage")
_O200K = ("gpt-4o", "gpt-4.1", "gpt-4.5")  # these begin like gpt-4 and are not


def base_model(model: str) -> str:
    """The model that a fine-tuned one (`ft:BASE:ORG::ID`) grew from; any other name as it is."""
    return model.split(":")[1] if model.startswith("ft:") and ":" in model[3:] else model


def is_known(model: str) -> bool:
    return base_model(model) in _KNOWN or model.startswith("sim-")


def encoding_name(model: str) -> str:
    base = base_model(model)
    if base.startswith(_CL100K) and not base.startswith(_O200K):
        return "cl100k_base"
    return "o200k_base"
