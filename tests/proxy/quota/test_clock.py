"""Redis' clock as seen from here."""

import pytest

from proxy.quota.clock import RedisClock


def test_time_goes_on_between_replies_and_each_reply_corrects_it() -> None:
    ticks = [5_000_000_000]
    clock = RedisClock(lambda: ticks[0])
    with pytest.raises(RuntimeError):
        clock.now_ms()
    clock.saw(1_000)
    ticks[0] += 250_000_000
    assert clock.now_ms() == 1_250
    clock.saw(2_000)
    assert clock.now_ms() == 2_000


def test_each_partition_goes_by_the_clock_of_its_node() -> None:
    ticks = [0]
    clock = RedisClock(lambda: ticks[0])
    clock.saw(10_000, partition=1)
    assert clock.now_ms(2) == 10_000
    clock.saw(70_000, partition=2)
    ticks[0] += 1_000_000
    assert (clock.now_ms(1), clock.now_ms(2), clock.now_ms(3)) == (10_001, 70_001, 70_001)
    clock.saw(1_000)
    assert (clock.now_ms(1), clock.now_ms()) == (10_001, 1_000)
