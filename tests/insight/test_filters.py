"""What a list is narrowed to is read from an address strictly, and written back the same."""

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regportal.errors import BadRequestError
from regportal.identity.models import Assurance
from regportal.insight.people import People
from regportal.insight.timeline import Deeds

WORD = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)


def read(kind, query, **more):
    return kind.of(parse_qs(query, keep_blank_values=True).items(), **more)


def test_what_is_left_open_is_not_written():
    assert People().written() == ""
    assert People(phase="need", order="score").written() == "phase=need&order=score"
    assert People(phase="need").written(at="abc", size=None) == "phase=need&at=abc"


@given(
    asked=st.builds(
        People,
        phase=st.none() | WORD,
        account=st.none() | WORD,
        assurance=st.none() | st.sampled_from(Assurance),
        score=st.none() | WORD,
        level=st.none() | WORD,
        order=st.sampled_from(["last", "score"]),
    )
)
def test_what_is_written_is_read_as_the_same(asked):
    assert read(People, asked.written()) == asked


def test_several_of_one_name_are_read_and_written_where_there_may_be_several():
    asked = read(Deeds, "type=search&type=page_view")

    assert asked.type == ("search", "page_view")
    assert asked.written() == "type=search&type=page_view"
    with pytest.raises(BadRequestError, match=r"^phase: is given twice\.$"):
        read(People, "phase=a&phase=b")


def test_an_empty_field_of_a_form_says_nothing():
    assert read(People, "q=&phase=&assurance=&order=") == People()


def test_names_of_others_are_left_to_them():
    assert read(People, "phase=a&at=x", beside={"at"}) == People(phase="a")
    with pytest.raises(BadRequestError, match=r"^at: "):
        read(People, "at=x")


def test_a_filter_is_a_value():
    assert {People(phase="a"), People(phase="a")} == {People(phase="a")}
    with pytest.raises(ValueError, match="frozen"):
        People().phase = "b"


@given(query=st.text(max_size=80))
def test_no_address_at_all_breaks_it(query):
    asked, refused = None, ""
    try:
        asked = read(People, query)
    except BadRequestError as error:
        refused = str(error)

    assert "\n" not in refused
    assert len(refused) < 400
    assert asked is None or read(People, asked.written()) == asked
