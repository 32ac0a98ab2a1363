"""Bytes gone wrong, for Hypothesis: valid messages with a few things changed, and where the network cuts them."""

import itertools

from hypothesis import strategies as st

NASTY = (
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b"\0", b" ", b"\t", b":", b";", b",", b"\x7f", b"\x80", b"\xff", b"%",
    b"0", b"-1", b"+", b"0x", b"ffffffffffffffff", b"99999999999999999999", b"\r\n ", b"\r\n\t", b"a" * 300,
    b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"Upgrade: websocket\r\n",
    b"Expect: 100-continue\r\n", b"Host: other\r\n", b"Trailer: x\r\n", b"0\r\n\r\n", b"5;x=y\r\n",
    b"PRI * HTTP/2.0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"data: {\n\n", b'"usage":{', b"}}}}", b"[DONE]",
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, data: bytes, most: int = 3) -> bytes:
    """`data` with one change or several: something put in, left out, doubled, overwritten or cut off."""
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 40)))
        match draw(st.sampled_from(("insert", "remove", "double", "replace", "cut"))):
            case "insert":
                data = data[:at] + draw(st.sampled_from(NASTY)) + data[at:]
            case "remove":
                data = data[:at] + data[end:]
            case "double":
                data = data[:end] + data[at:]
            case "replace":
                data = data[:at] + draw(st.binary(min_size=1, max_size=4)) + data[at + 1 :]
            case _:
                data = data[:at]
    return data


def pieces(data: bytes, places: list[int]) -> list[bytes]:
    """`data` cut at these places, wrapped around its length."""
    cuts = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(cuts)]
