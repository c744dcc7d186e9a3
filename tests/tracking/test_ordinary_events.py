"""The quick look at ordinary events finds what the thorough one finds, or leaves it to that."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regportal.tracking.events import FROM_BROWSERS, NotAnEventError, understand
from regportal.tracking.ordinary import TEXTS, understood

ORDINARY = {
    "id": "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b",
    "type": "page_view",
    "object": "https://www.acme.example/widgets",
    "category": "prices",
    "properties": {"title": "Widgets"},
    "occurred_at": "2026-11-23T09:00:00.250Z",
}
SIGNS = st.text(string.ascii_letters + string.digits + "/:?#@[]%.-_ \t\n\u00a0ß\u202e", max_size=12)
ADDRESSES = st.builds(
    "{}://{}{}/{}".format, st.sampled_from(["http", "HTTPS"]), SIGNS, SIGNS, SIGNS
)
MOMENTS = st.builds(
    "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}.{:03d}{}".format,
    *(st.integers(0, most) for most in (9999, 13, 32, 25, 61, 61, 999)),
    st.sampled_from(["Z", "z", "+00:00", "", "+23:59"]),
)
TEXT = st.one_of(st.text(max_size=310), SIGNS, st.none(), st.integers(), st.booleans())
NAMES = st.sampled_from(["title", "query", "product", "channel", "name", "results", "watched", "x"])
ODDLY = {
    "id": st.one_of(st.uuids(), st.uuids(version=4)).map(str)
    | st.sampled_from([ORDINARY["id"].upper(), f"{{{ORDINARY['id']}}}", 7]),
    "type": st.sampled_from([*sorted(FROM_BROWSERS), "call", "custom:x", "x", None]),
    "object": ADDRESSES | SIGNS | st.text(max_size=5) | st.none(),
    "category": SIGNS | st.none() | st.integers(),
    "properties": st.dictionaries(NAMES, TEXT, max_size=3) | st.none() | st.lists(st.integers()),
    "occurred_at": MOMENTS | SIGNS | st.integers(),
    "contact": st.just("ann@acme.example"),
    "more": st.just(1),
}


def thoroughly(told):
    try:
        return understand(told, by_browser=True)
    except NotAnEventError:
        return None


@settings(max_examples=400, deadline=None)
@given(
    st.fixed_dictionaries({}, optional=ODDLY),
    st.sets(st.sampled_from(sorted(ORDINARY)), max_size=2),
)
def test_what_is_understood_at_a_glance_is_understood_so_thoroughly(odd, left_out):
    told = {
        name: value for name, value in (ORDINARY | odd).items() if name not in left_out - odd.keys()
    }
    seen = understood(told)

    assert seen is None or seen == thoroughly(told)


@given(st.dictionaries(NAMES, TEXT, max_size=2), st.sampled_from(sorted(FROM_BROWSERS)))
def test_properties_are_understood_alike(said, kind):
    told = ORDINARY | {"type": kind, "properties": said}
    seen = understood(told)

    assert seen is None or seen == thoroughly(told)


@pytest.mark.parametrize("kind", sorted(TEXTS.keys() - {"video_watch"}))
def test_what_our_recorder_writes_is_ordinary(kind):
    texts, needed = TEXTS[kind]
    for names in (texts, needed):
        told = ORDINARY | {"type": kind, "properties": dict.fromkeys(names, "Widgets & more")}

        assert understood(told) == thoroughly(told) is not None
    for about in ("price-list", "https://www.acme.example:8443/a/b.html", "http://localhost/"):
        assert understood(ORDINARY | {"object": about}) is not None


@pytest.mark.parametrize("told", [None, [], "x", 1, {}, {"id": 1}])
def test_what_is_no_event_is_left_to_the_other(told):
    assert understood(told) is None
