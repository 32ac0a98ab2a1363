"""The spool: what was written is there after a crash, what was torn is not, and the living keep their files."""

import asyncio
import resource
import stat
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.record.frames import framed, frames
from proxy.record.spool import Spool, orphans

PAYLOADS = [b"one", b"", b"three" * 1000]


def written(path: Path) -> list[bytes | None]:
    with path.open("rb") as file:
        return [frame.payload for frame in frames(file)]


def only_file(directory: Path) -> Path:
    [path] = directory.iterdir()
    return path


async def test_what_was_written_is_read_again_from_where_one_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 10**6)
    await asyncio.gather(*(spool.write([payload]) for payload in PAYLOADS))
    first, *rest = await spool.read(0)
    assert [first.payload, *(frame.payload for frame in rest)] == PAYLOADS
    assert await spool.read(first.end) == rest
    assert await spool.read(rest[-1].end) == []
    await spool.close(1)


async def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 10**6)
    assert stat.S_IMODE(only_file(spool.directory).stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.directory.stat().st_mode) == 0o700
    await spool.close(1)


@given(st.data())
def test_of_a_torn_file_all_that_is_whole_is_read_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    payloads = data.draw(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
    whole = b"".join(map(framed, payloads))
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("torn") / "file"
    path.write_bytes(whole[:cut])
    ends = [len(b"".join(map(framed, payloads[: count + 1]))) for count in range(len(payloads))]
    assert written(path) == payloads[: sum(end <= cut for end in ends)]


def test_a_damaged_payload_is_told_and_does_not_hide_those_behind_it(tmp_path: Path) -> None:
    data = bytearray(b"".join(map(framed, (b"first", b"second", b"third"))))
    data[8] ^= 1
    path = tmp_path / "file"
    path.write_bytes(data)
    assert written(path) == [None, b"second", b"third"]


def test_a_length_that_cannot_be_ends_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(framed(b"first") + struct.pack("<II", 2**32 - 1, 0) + bytes(100))
    assert written(path) == [b"first"]


async def test_it_tells_when_it_is_full_and_takes_what_comes_all_the_same(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 100)
    assert not spool.full
    await spool.write([bytes(100)])
    assert spool.full
    await spool.write([b"more"])
    end = spool.size
    assert [frame.payload for frame in await spool.read(0)] == [bytes(100), b"more"]
    assert await spool.empty(end)
    assert not spool.full
    await spool.close(1)


async def test_what_comes_meanwhile_is_not_forgotten(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 10**6)
    await spool.write([b"one"])
    [frame] = await spool.read(0)
    await spool.write([b"two"])
    assert not await spool.empty(frame.end)
    assert [each.payload for each in await spool.read(frame.end)] == [b"two"]
    await spool.close(1)


async def test_the_files_of_the_dead_are_found_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 10**6)
    await spool.write([b"one"])
    with orphans(spool.directory) as found:
        assert found == []
    await spool.close(1)
    with orphans(spool.directory) as found, orphans(spool.directory) as found_again:
        assert [[frame.payload for frame in each.frames(0)] for each in found] == [[b"one"]]
        assert found_again == []
        found[0].remove()
    assert list(spool.directory.iterdir()) == []


async def test_an_empty_file_goes_with_its_process(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 10**6)
    await spool.close(1)
    assert list(spool.directory.iterdir()) == []


async def test_where_the_disk_takes_no_more_its_writer_is_told_and_nothing_half_written_stays(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "spool", 10**6)
    await spool.write([b"before"])
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, unlimited[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            await spool.write([bytes(2 * 10**6)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    await spool.write([b"after"])
    assert [frame.payload for frame in await spool.read(0)] == [b"before", b"after"]
    await spool.close(1)
