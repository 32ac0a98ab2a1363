from __future__ import annotations

import pytest

from proxy.meter import output as output_module
from proxy.meter.output import Output


class Words:
    def count(self, text: str) -> int:
        return len(text.split())


def test_pieces_of_a_channel_are_one_text() -> None:
    output = Output()
    for piece in ("one tw", "o", " three"):
        output.add_text("a", piece)
    output.add_text("b", "four")
    assert output.count(Words()) == 4
    output.compact()
    assert output.count(Words()) == 4


def test_what_is_no_text_adds_nothing() -> None:
    output = Output()
    odds: list[object] = [None, 3, [], {}, "", b"x"]
    for odd in odds:
        output.add_text("a", odd)
        output.add_arguments("a", odd)
        output.add_name("a", odd)
    assert output.count(Words()) == 0
    assert output.calls == []


def test_calls_of_a_choice_stand_together_and_keep_their_first_name() -> None:
    output = Output()
    output.add_name((0, 0), "f")
    output.add_name((0, 0), "again")
    output.add_arguments((0, 0), '{"a":')
    output.add_arguments((0, 0), "1}")
    output.add_name((0, 1), "g")
    output.add_name((1, 0), "h")
    assert output.calls == [[("f", '{"a":1}'), ("g", "")], [("h", "")]]


def test_beyond_the_bound_the_rate_of_what_was_kept_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_module, "MAX_KEPT", 100)
    output = Output()
    for _ in range(100):
        output.add_text("a", "word ")
    assert output.kept == 100
    assert not output.whole
    assert output.count(Words()) == 100


def test_unread_text_alone_counts_a_token_for_four_characters() -> None:
    output = Output()
    output.add_unread(400)
    assert output.count(Words()) == 100
