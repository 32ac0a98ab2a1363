"""The clients in C see what they are shown: they count, time and complain rightly."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from loadtests.stand.errors import StandError
from loadtests.stand.load import Load, Pace, Seen, Target, Wish, without_errors
from loadtests.stand.programs import Programs, compiled
from loadtests.stand.upstream import upstream

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="the clients are in C: a compiler is needed"
)
PACED = Pace(milliseconds=5, chunks=40)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return compiled(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def load(programs: Programs, tmp_path: Path) -> Load:
    return Load(programs.load, tmp_path)


@contextmanager
def server(answer: bytes, *, cut: int | None = None) -> Iterator[int]:
    """Gives each request on a connection the same answer, in pieces of `cut` bytes; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(ConnectionError):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    while connection.recv(65536):
                        for start in range(0, len(answer), cut or len(answer)):
                            connection.sendall(answer[start : start + (cut or len(answer))])
                        if not answer.startswith(b"HTTP/1.1 2"):
                            break

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def quick(load: Load, port: int, **wish: object) -> Seen:
    return load.run(Target(port), Wish(**{"clients": 1, "seconds": 0.3, "warm": 0.1, **wish}))  # type: ignore[arg-type]


def test_calls_are_counted_and_timed(programs: Programs, load: Load) -> None:
    begun = []
    with upstream(programs.upstream) as answering:
        seen = load.run(Target(answering.port), Wish(8, 0.5, warm=0.2), lambda: begun.append(True))
    assert begun == [True]
    assert seen.errors == 0
    assert seen.calls == seen.took.count <= seen.calls_in_all
    assert seen.rate > 1000
    assert 0 < seen.took.p50 <= seen.took.p99 <= seen.took.max < 1000


def test_calls_at_a_rate_begin_at_that_rate(programs: Programs, load: Load) -> None:
    with upstream(programs.upstream) as answering:
        seen = load.run(Target(answering.port), Wish(8, 1.0, warm=0.2, rate=200))
    assert seen.errors == 0
    assert 180 <= seen.calls <= 220


def test_chunks_of_streams_are_all_counted_and_timed(programs: Programs, load: Load) -> None:
    with upstream(programs.upstream) as answering:
        seen = load.run(Target(answering.port), Wish(4, 1.0, warm=0.5, spread=0.1, pace=PACED))
    assert seen.errors == 0
    assert seen.calls > 4
    assert 650 < seen.chunks == seen.relayed.count < 850  # of four streams, one each 5 ms
    assert seen.relayed.p50 < 50


def chunked(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


@pytest.mark.parametrize("cut", [1, 7, 30, None])
def test_a_mark_is_found_however_the_bytes_are_cut(load: Load, cut: int | None) -> None:
    events = b"".join(b'data: {"content":" t=%019d"}\n\n' % number for number in range(1, 6))
    whole = [events, b"data: [DONE]\n\n"]
    for pieces in (whole, [events[:50], events[50:], whole[1][:9], whole[1][9:]]):
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        answer = head + b"".join(map(chunked, pieces)) + b"0\r\n\r\n"
        with server(answer, cut=cut) as port:
            seen = quick(load, port, pace=PACED)
        assert (seen.errors, seen.reason) == (0, "")
        assert abs(seen.chunks - 5 * seen.calls) <= 5
        assert seen.stalls == seen.chunks  # they were sent, it seems, when the machine started


def test_a_refusal_is_not_a_call(load: Load) -> None:
    with server(
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
    ) as port:
        seen = quick(load, port)
    assert seen.refused == seen.errors > 0 == seen.calls
    assert seen.reason == "status 429"
    with pytest.raises(StandError, match="status 429"):
        without_errors(seen)


def test_a_stream_without_its_end_is_broken(load: Load) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with server(head + chunked(b"data: {}\n\n") + b"0\r\n\r\n") as port:
        seen = quick(load, port, pace=PACED)
    assert seen.broken == seen.errors > 0 == seen.calls


def test_nobody_there_is_no_call(load: Load) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    seen = quick(load, port)
    assert seen.broken > 0 == seen.calls
