"""The form of records: what another release wrote is read."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

from ledger.usage import Usage
from ledger.usage_record import UsageRecord
from proxy.record import draft, form
from proxy.record.draft import Draft
from proxy.record.money import Money

RECORD = UsageRecord(
    request_id="req_1",
    occurred_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
    organization_id="org_1",
    project_id=None,
    key_id="key_1",
    member_id=None,
    endpoint="/v1/chat/completions",
    model="gpt-4o-mini",
    upstream="api.openai.com",
    stream=False,
    status=200,
    outcome="completed",
    usage=Usage(input_tokens=7, output_tokens=5),
    usage_source="provider",
    cost_nano_usd=4050,
    cost_nano_eur=3500,
    price_nano=3500,
    price_nano_eur=3500,
    currency="EUR",
    usd_per_eur=Decimal("1.16"),
    price_ref="gpt-4o-mini@2024-07-18",
    request_bytes=80,
    response_bytes=400,
    first_byte_ms=12,
    duration_ms=30,
    search_term=None,
    price_nano_tokens=2500,
)
OUTPUT = Money(6, 5, 4, 4, 3)


def test_a_record_is_read_as_it_was_written() -> None:
    assert form.read(form.write(RECORD)) == RECORD


@pytest.mark.parametrize(("tokens", "part"), [(5, 3500), (0, 0)])
def test_of_a_record_that_says_no_part_for_tokens_all_is_for_tokens_if_there_are_any(
    tokens: int, part: int
) -> None:
    earlier = orjson.loads(
        form.write(replace(RECORD, usage=Usage(output_tokens=tokens, quantities={"images": 1})))
    )
    del earlier["price_nano_tokens"]
    assert form.read(orjson.dumps(earlier)).price_nano_tokens == part


def test_a_draft_is_read_as_it_was_written() -> None:
    made = Draft(RECORD, ("o:org_1",), OUTPUT)
    assert draft.read(draft.write(made)) == made


def test_of_a_draft_that_says_no_part_for_tokens_an_output_tokens_price_is_for_the_token() -> None:
    earlier = orjson.loads(draft.write(Draft(RECORD, (), OUTPUT)))
    del earlier["output_of_tokens"]
    assert draft.read(orjson.dumps(earlier)).output_money == OUTPUT._replace(price_tokens=4)


def test_what_was_delivered_before_a_proxy_died_is_part_of_the_price_for_tokens() -> None:
    record, _ = draft.expired(Draft(RECORD, (), OUTPUT), at_ms=0, now_ms=0, delivered=10)
    assert (record.price_nano, record.price_nano_tokens) == (3540, 2530)
