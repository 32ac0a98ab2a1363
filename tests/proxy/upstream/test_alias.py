import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.upstream.alias import named, renamed, renamed_in_form


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


FORM = b"multipart/form-data; boundary=B"


def test_only_the_models_name_changes_in_a_form() -> None:
    file = b'--B\r\nContent-Disposition: form-data; name="file"; filename="model"\r\n\r\n'
    head = file + b'name="model"\r\n\r\nx\r\n--B\r\n'
    named = b"content-disposition:form-data;name=model\r\n\r\n%b\r\n--B--\r\n"
    body = head + named % b"whisper-1"
    assert renamed_in_form(body, FORM, "largé") == head + named % "largé".encode()


@pytest.mark.parametrize("body", [b"", b"{}", b"--B--\r\n", b"--B\r\nname=model\r\n\r\nx\r\n--B--"])
def test_a_form_without_a_model_stays_as_it_is(body: bytes) -> None:
    assert renamed_in_form(body, FORM, "c") == body


JSON_HEADERS = [(b"content-type", b"application/json")]


@pytest.mark.parametrize(
    ("body", "given"),
    [
        (b'{"n": 1.00}', b'{"n": 1.00,"model":"ours"}'),
        (b"{}", b'{"model":"ours"}'),
        (b'{"model":null}', b'{"model":"ours"}'),
        (b'{"model":"a","model":"b"}', b'{"model":"ours","model":"ours"}'),
        (b"[]", b"[]"),
        (b"", b""),
        (b'{"a":', b'{"a":'),
    ],
)
def test_a_model_is_given_to_whoever_names_none(body: bytes, given: bytes) -> None:
    assert named(body, JSON_HEADERS, "ours") == given


def test_a_model_is_given_to_a_form() -> None:
    headers = [(b"content-type", FORM)]
    part = b'--B\r\ncontent-disposition: form-data; name="model"\r\n\r\nours\r\n'
    other = b'--B\r\ncontent-disposition: form-data; name="n"\r\n\r\n1\r\n'
    assert named(other + b"--B--\r\n", headers, "ours") == part + other + b"--B--\r\n"
    assert (
        named(part + other + b"--B--\r\n", headers, "theirs")
        == part.replace(b"ours", b"theirs") + other + b"--B--\r\n"
    )
    assert named(b"no form", headers, "ours") == b"no form"


def test_the_model_of_a_session_changes_too() -> None:
    session = b'{"type": "realtime", "model": "a", "tools": [{"model": "a"}]}'
    changed = session.replace(b'"a"', b'"b"', 1)
    assert renamed(b'{"session": ' + session + b', "x": 1}', "b") == b'{"session": ' + changed + b', "x": 1}'
    part = b'--x\r\ncontent-disposition: form-data; name="session"\r\n\r\n%b\r\n--x--\r\n'
    kind = b"multipart/form-data; boundary=x"
    assert renamed_in_form(part % session, kind, "b") == part % changed
