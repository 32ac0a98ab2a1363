"""Pictures. Where no model is named, OpenAI's documentation said DALL-E 2."""

from proxy.endpoints.endpoint import Endpoint
from proxy.meter.image_answers import images

_UNNAMED = "dall-e-2"

ENDPOINTS = (
    Endpoint("images.generations", "POST", "/v1/images/generations", images, default_model=_UNNAMED),
    Endpoint("images.edits", "POST", "/v1/images/edits", images, takes="form", default_model=_UNNAMED),
    Endpoint(
        "images.variations", "POST", "/v1/images/variations", images, takes="form", default_model=_UNNAMED
    ),
)
