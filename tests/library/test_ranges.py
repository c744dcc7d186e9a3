import pytest
from hypothesis import given
from hypothesis import strategies as st

from regportal.library.ranges import Conditions, Part, part

SIZE, TAG = 10_000, '"abc"'


@pytest.mark.parametrize(
    ("asked", "status", "first", "length"),
    [
        # RFC 9110, 14.1.2: the examples for a representation of 10,000 bytes
        ("bytes=0-499", 206, 0, 500),
        ("bytes=500-999", 206, 500, 500),
        ("bytes=-500", 206, 9500, 500),
        ("bytes=9500-", 206, 9500, 500),
        # the edges
        ("bytes=0-0", 206, 0, 1),
        ("bytes=9999-9999", 206, 9999, 1),
        ("bytes=0-", 206, 0, SIZE),
        ("bytes=0-9999", 206, 0, SIZE),
        ("bytes=0-10000", 206, 0, SIZE),
        ("bytes=9999-99999999999999999999999999", 206, 9999, 1),
        ("bytes=-10000", 206, 0, SIZE),
        ("bytes=-99999999999999999999999999", 206, 0, SIZE),
        ("bytes=" + "0" * 5000 + "-0", 416, 0, 0),
        # spelled otherwise
        ("Bytes=0-1", 206, 0, 2),
        (" bytes=0-1 ", 206, 0, 2),
        ("bytes= 0-1", 206, 0, 2),
        ("bytes=,0-1,", 206, 0, 2),
        # not satisfiable
        ("bytes=10000-", 416, 0, 0),
        ("bytes=10000-10001", 416, 0, 0),
        ("bytes=99999999999999999999999999-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        # not valid
        ("bytes=", 416, 0, 0),
        ("bytes=-", 416, 0, 0),
        ("bytes=,", 416, 0, 0),
        ("bytes=1", 416, 0, 0),
        ("bytes=5-2", 416, 0, 0),
        ("bytes=a-b", 416, 0, 0),
        ("bytes=0x0-0x1", 416, 0, 0),
        ("bytes=--5", 416, 0, 0),
        ("bytes=0-1-2", 416, 0, 0),
        ("bytes=0 -1", 416, 0, 0),
        ("bytes=+0-1", 416, 0, 0),
        ("bytes=\u0661-\u0662", 416, 0, 0),
        ("bytes=0-1\r\nX-Evil: 1", 416, 0, 0),
        # several
        ("bytes=0-1,3-4", 416, 0, 0),
        ("bytes=0-0,-1", 416, 0, 0),
        ("bytes=0-1, bytes=3-4", 416, 0, 0),
        # other units, or none
        ("lines=0-1", 200, 0, SIZE),
        ("none", 200, 0, SIZE),
        ("", 200, 0, SIZE),
        ("=0-1", 200, 0, SIZE),
        ("bytes 0-1", 200, 0, SIZE),
        ("0-1", 200, 0, SIZE),
    ],
)
def test_a_range_is_answered_as_the_rfc_has_it(asked, status, first, length):
    got = part(Conditions(range=asked), SIZE, TAG)

    assert (got.status, got.first, got.length) == (status, first, length)


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        # RFC 9110, 13.2.2: in this order
        (Conditions(if_match=TAG), 200),
        (Conditions(if_match="*"), 200),
        (Conditions(if_match=f'"x", {TAG}'), 200),
        (Conditions(if_match='"x"'), 412),
        (Conditions(if_match=f"W/{TAG}"), 412),
        (Conditions(if_match='"x"', if_none_match=TAG), 412),
        (Conditions(if_none_match=TAG), 304),
        (Conditions(if_none_match=f"W/{TAG}"), 304),
        (Conditions(if_none_match=f'"x",{TAG}'), 304),
        (Conditions(if_none_match="*"), 304),
        (Conditions(if_none_match='"x"'), 200),
        (Conditions(if_none_match="abc"), 200),
        (Conditions(if_none_match=TAG, range="bytes=0-1"), 304),
        # 14.2 and 13.1.5
        (Conditions(range="bytes=0-1", if_range=TAG), 206),
        (Conditions(range="bytes=0-1", if_range='"x"'), 200),
        (Conditions(range="bytes=0-1", if_range=f"W/{TAG}"), 200),
        (Conditions(range="bytes=0-1", if_range="Sat, 29 Oct 1994 19:43:31 GMT"), 200),
        (Conditions(range="bytes=99999-", if_range='"x"'), 200),
        (Conditions(if_range=TAG), 200),
    ],
)
def test_conditions_are_weighed_in_their_order(conditions, status):
    assert part(conditions, SIZE, TAG).status == status


@pytest.mark.parametrize(
    ("asked", "if_range", "continues"),
    [
        ("bytes=1-", TAG, True),
        ("bytes=-1", TAG, True),
        ("bytes=10000-", TAG, True),
        ("bytes=0-", TAG, False),
        ("bytes=1-", None, False),
        ("bytes=1-", '"x"', False),
        ("bytes=1-2,4-5", TAG, False),
        (None, TAG, False),
    ],
)
def test_only_a_later_part_of_the_same_bytes_continues(asked, if_range, continues):
    assert part(Conditions(range=asked, if_range=if_range), SIZE, TAG).continues is continues


def test_head_knows_no_ranges():
    assert part(Conditions(range="bytes=0-1"), SIZE, TAG, whole=True) == Part(200, 0, SIZE)


@given(
    st.text(alphabet="bytes=0123456789-, \tx", max_size=40) | st.text(),
    st.integers(min_value=0, max_value=50),
)
def test_whatever_is_asked_the_part_lies_within_the_file(asked, size):
    got = part(Conditions(range=asked), size, TAG)

    assert got.status in {200, 206, 416}
    assert got.first >= 0
    assert got.first + got.length <= size
    assert got.status != 206 or got.length > 0
