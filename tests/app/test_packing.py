"""What any cache may keep is sent packed to whoever takes it so; what is one person's never is."""

import gzip

import pytest

from regportal.app import web_root
from regportal.embedding.builds import present

BUILD = present(web_root() / "static" / "js")
FOR_ALL = [
    "/static/js/regportal.js",
    f"/{BUILD.address('recorder.js')}",
    "/static/css/regportal.css",
    "/api/openapi.json",
    "/api/v1/gates/guide/shell",
]


@pytest.fixture
def get(portal):
    """Ask as a browser does, or one that takes no packed answers."""

    def get(path, encodings="gzip, deflate, br", **headers):
        client = portal.app.test_client()
        with client.get(path, headers={"Accept-Encoding": encodings, **headers}) as answer:
            answer.get_data()
            return answer

    return get


@pytest.mark.parametrize("path", FOR_ALL)
def test_it_is_packed_and_the_same_bytes(get, path):
    packed, plain = get(path), get(path, "identity")

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < 0.6 * len(plain.data)
    assert packed.content_length == len(packed.data)
    for answer in (packed, plain):
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_the_gate_comes_in_its_budget_as_it_is_sent(get):
    assert len(get("/static/js/regportal.js").data) <= 12_000
    assert len(get("/static/js/recorder.js").data) <= 3_000


@pytest.mark.parametrize("encodings", ["", "br", "gzip;q=0", "identity"])
def test_whoever_does_not_take_it_gets_it_plain(get, encodings):
    answer = get("/static/js/regportal.js", encodings)

    assert "Content-Encoding" not in answer.headers
    assert answer.data == (web_root() / "static/js/regportal.js").read_bytes()


def test_whoever_has_it_is_told_so_packed_or_not(get):
    tag = get("/static/js/regportal.js").headers["ETag"]

    for encodings in ("gzip", "identity"):
        answer = get("/static/js/regportal.js", encodings, **{"If-None-Match": tag})
        assert answer.status_code == 304
        assert answer.headers["ETag"] == tag


def test_what_is_one_persons_is_never_packed(portal):
    """Its length would tell what it holds, beside what a stranger can have put on the page."""
    ann = portal.browser()
    ann.headers["Accept-Encoding"] = "gzip"
    page = ann.claim("ann@acme.example", "guide")

    for answer in (page, ann.gate("prices"), ann.get("/api/v1/gates/guide")):
        assert "Content-Encoding" not in answer.headers
