from __future__ import annotations

import io
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.meter.duration import Length, length_of


def wav(seconds: float, rate: int = 16_000) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * round(seconds * rate)))
    return made.getvalue()


def element(kind: str, value: bytes, size: int | None = None) -> bytes:
    length = (1 << 56) - 1 if size == -1 else len(value)
    return bytes.fromhex(kind) + (length | 1 << 56).to_bytes(8, "big") + value


def recorded(*times: int, duration: bytes = b"") -> bytes:
    """As a browser records it: sizes open, a cluster at 1 s, blocks at milliseconds from there."""
    blocks = b"".join(
        element("A3", b"\x81" + time.to_bytes(2, "big", signed=True) + b"\x80" + bytes(90)) for time in times
    )
    cluster = element("1F43B675", element("E7", (1000).to_bytes(2, "big")) + blocks, -1)
    info = element("1549A966", element("2AD7B1", (1_000_000).to_bytes(3, "big")) + duration)
    return element("1A45DFA3", b"") + element("18538067", info + cluster + bytes(4000), -1)


def mp3(frames: int) -> bytes:
    """Frames of MPEG-1 layer III, 128 kbit/s at 44.1 kHz: 417 bytes and 1152 samples each."""
    return (b"\xff\xfb\x90\x00" + bytes(413)) * frames


@pytest.mark.parametrize("seconds", [0.5, 3, 61.25])
def test_a_wav_file_lasts_as_long_as_its_bytes(seconds: float) -> None:
    assert length_of(wav(seconds)) == Length(seconds, True)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_file_that_was_written_as_it_went_has_no_size(size: int) -> None:
    made = bytearray(wav(3))
    at = made.index(b"data") + 4
    made[at : at + 4] = size.to_bytes(4, "little")
    assert length_of(bytes(made)) == Length(3, True)


def test_an_mp3_lasts_as_long_as_its_frames() -> None:
    length = length_of(mp3(200))
    assert length.known
    assert length.seconds == pytest.approx(200 * 1152 / 44_100, rel=0.02)


def test_a_recording_of_a_browser_lasts_until_its_last_block() -> None:
    assert length_of(recorded(0, 500, 2000)) == Length(3, True)


def test_a_stated_duration_counts_where_it_is_longer() -> None:
    stated = element("4489", bytes.fromhex("459c4000"))  # 5000.0
    assert length_of(recorded(0, 500, duration=stated)) == Length(5, True)


def test_what_is_no_audio_lasts_at_most_what_its_bytes_can() -> None:
    assert length_of(b"x" * 7500) == Length(10, False)
    assert length_of(b"") == Length(0, False)


def test_a_file_that_says_it_is_longer_than_its_bytes_can_last_is_not_believed() -> None:
    stated = element("4489", bytes.fromhex("4e6e6b28"))  # 1e9
    made = recorded(0, duration=stated)
    assert length_of(made) == Length(len(made) / 750, True)


def test_webm_of_countless_elements_is_given_up() -> None:
    assert not length_of(b"\x1a\x45\xdf\xa3" + b"\x81\x80" * 300_000).known


@given(
    st.sampled_from(
        [
            b"",
            b"RIFF\0\0\0\0WAVEfmt ",
            b"\x1a\x45\xdf\xa3",
            b"ID3\x04",
            b"OggS",
            b"fLaC",
            b"\0\0\0\x20ftypM4A ",
        ]
    ),
    st.binary(max_size=300),
)
def test_no_upload_raises(head: bytes, rest: bytes) -> None:
    length = length_of(head + rest)
    assert 0 <= length.seconds <= len(head + rest) / 750
