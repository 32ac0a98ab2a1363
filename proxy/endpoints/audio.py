"""Speech made of text, and text of speech."""

from proxy.endpoints.endpoint import Endpoint
from proxy.meter.speech import speech
from proxy.meter.transcription import transcription

ENDPOINTS = (
    Endpoint("audio.speech", "POST", "/v1/audio/speech", speech, needs_model=True),
    Endpoint(
        "audio.transcriptions",
        "POST",
        "/v1/audio/transcriptions",
        transcription,
        takes="form",
        needs_model=True,
    ),
    Endpoint(
        "audio.translations", "POST", "/v1/audio/translations", transcription, takes="form", needs_model=True
    ),
)
