"""Listening sockets: several processes on one port, and nobody else's."""

import errno
import os
import socket


class PortError(RuntimeError):
    """The port cannot be had; the message is one line that names it."""


def reserve(host: str, port: int, *, option: str) -> socket.socket:
    """Takes the port, without listening, for the processes that `listen` on it. Port 0 takes a free one.

    SO_REUSEPORT alone would let a second copy of ours join in silently, so the port must be free of
    listeners first. Raises PortError; `option` is what the user can change.
    """
    try:
        with _socket(host) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen()
        return _shared(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortError(f"port {port} on {host} is busy; choose another with {option}") from None
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise PortError(f"cannot listen on {host} port {port}: {reason}; see {option}") from None


def listen(host: str, port: int) -> socket.socket:
    """A socket that shares the port with our other processes; not yet listening. Raises PortError."""
    try:
        return _shared(host, port)
    except OSError as error:
        raise PortError(f"cannot listen on {host} port {port}: {error.strerror or error}") from None


def _shared(host: str, port: int) -> socket.socket:
    shared = _socket(host)
    try:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind((host, port))
    except OSError:
        shared.close()
        raise
    return shared


def _socket(host: str) -> socket.socket:
    # With the protocol named, asyncio knows it for TCP and lets what is accepted send without delay.
    return socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )


def url(host: str, port: int) -> str:
    """The address to reach it at from this machine."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def number(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])
