"""A certificate that proves 127.0.0.1 to the tests and to nobody else; its key is no secret."""

import ssl
from pathlib import Path

PEM = Path(__file__).with_name("localhost.pem")


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


def trusting_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=PEM)
