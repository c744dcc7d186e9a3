"""JSON that others sent is understood in one way, or refused with one kind of error."""

import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regportal.errors import BadRequestError, JsonError
from regportal.store.strict_json import DEEPEST, read_json

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.just("k"), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\xff", "UTF-8"),
        (b'"\xc3\x28"', "UTF-8"),
        ('"ü"'.encode("latin-1"), "UTF-8"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"NaN", "NaN"),
        (b'{"a": [Infinity]}', "Infinity"),
        (b"-Infinity", "-Infinity"),
        (b"1e400", "too large"),
        (b"-1e400", "too large"),
        (b"9" * 400 + b".0", "too large"),
        (b"9223372036854775808", "64 bit"),
        (b"-9223372036854775809", "64 bit"),
        (b"1" * 100_000, "KiB|64 bit"),
        (b"1" * 5_000, "64 bit"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'{"a": 1, "\\u0061": 1}', "twice"),
        (b'["\\ud800"]', "half a character"),
        (b'{"\\udc00": 1}', "half a character"),
        (b'["\\u0000"]', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'"a\x00"', "not JSON"),
        (b"[" * 100_000, "KiB|deeper"),
        (b"[" * 17 + b"]" * 17, "deeper"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "deeper"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"01", "not JSON"),
        (b'"', "not JSON"),
        (b"[" * 3, "not JSON"),
        (b'"' + b"a" * 70_000 + b'"', "64 KiB"),
    ],
)
def test_what_could_be_understood_in_two_ways_is_refused(body, says):
    with pytest.raises(JsonError, match=says):
        read_json(body)


@given(values)
def test_everything_else_comes_through_unchanged(value):
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value
    assert read_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEPEST + b"]" * DEEPEST,
        b'["[[[[[[[[[[[[[[[[[[[[", "\\"[[[[[[[[[[[[[[[[[[[["]',
        b"9223372036854775807",
        b'"\\ud83d\\ude00"',
        b' {"a" : 1e308 } ',
    ],
)
def test_what_only_looks_dangerous_is_taken(body):
    assert read_json(body) == json.loads(body)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_the_one_error(body):
    try:
        json.dumps(read_json(body)).encode()
    except JsonError as error:
        assert error.status == BadRequestError.status  # noqa: PT017 - only some bytes are wrong


def test_a_hostile_body_is_refused_as_fast_as_a_friendly_one_is_read():
    chance = random.Random(3)
    noise = bytes(chance.choice(b'[{"\\]}') for _ in range(64 * 1024))
    began = time.thread_time()
    for body in (noise, b'"' * 65536, b'"\\' * 32768, b"\\" * 65536, b'["' * 32768):
        with pytest.raises(JsonError):
            read_json(body)

    assert time.thread_time() - began < 2
