import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.upstream.alias import renamed


def test_only_the_models_name_changes() -> None:
    body = b'{ "n":1.00,\t"model" : "gpt-4o" ,"messages":[{"model":"x","content":"\\"model\\":\\"y\\""}]}\n'
    assert renamed(body, 'a "b" \xe9') == body.replace(b'"gpt-4o"', '"a \\"b\\" \xe9"'.encode())


def test_every_doubled_name_changes() -> None:
    assert renamed(b'{"model":"a","x":1,"model":"b"}', "c") == b'{"model":"c","x":1,"model":"c"}'


@pytest.mark.parametrize("body", [b"", b"[]", b'{"messages":[]}', b'{"model":', b"--boundary\r\n"])
def test_a_body_without_a_model_stays_as_it_is(body: bytes) -> None:
    assert renamed(body, "c") == body


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json), st.text(min_size=1))
def test_any_object_keeps_all_but_its_model(request: dict[str, object], model: str) -> None:
    body = orjson.dumps(request | {"model": "before"})
    assert orjson.loads(renamed(body, model)) == request | {"model": model}
