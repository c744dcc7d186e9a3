"""
Somebody sends another's token, or his own for another, as the field of a form.

Where a browser keeps no cookie inside another site's page, the script of our frame sends the token
as a field (``visitor``). Nowhere else is that field read.
"""

import pytest

from regportal.identity.rules import masked

WWW = "https://www.acme.example"
FRAMED = f"?in=frame&host={WWW}"


def handed(page):
    """Return the token a page hands to its own script."""
    return page.text.partition('data-token="')[2].partition('"')[0]


@pytest.fixture
def token(portal):
    """What the frame of somebody without cookies was handed."""
    ann = portal.browser(Cookie="")
    page = ann.get(f"/g/guide{FRAMED}")
    ann.client.delete_cookie("rp_s")
    fields = {**page.fields, "email": "ann@acme.example", "remember": "yes"}
    found = handed(ann.post(f"/g/guide{FRAMED}", fields))
    assert len(found) == 43
    return found


def back(portal, path, token, **headers):
    """Show a token to a gate, from a browser that keeps nothing."""
    return portal.browser().post(f"/g/study/back{path}", {"visitor": token}, **headers)


def test_in_a_frame_it_says_who_somebody_is(portal, token):
    assert masked("ann@acme.example") in back(portal, FRAMED, token).text
    assert not back(portal, FRAMED, token).asks_email


@pytest.mark.parametrize("path", ["", "?in=nowhere"])
def test_outside_of_a_frame_it_says_nothing(portal, token, path):
    assert back(portal, path, token).asks_email


def test_nor_where_the_browser_objects_to_being_known(portal, token):
    assert back(portal, FRAMED, token, **{"Sec-GPC": "1"}).asks_email


def test_nor_from_a_page_that_may_not_send_it(portal, token):
    assert back(portal, FRAMED, token, Origin="https://evil.example").status == 403


def test_nor_in_place_of_a_cookie(portal, token):
    eve = portal.browser()
    eve.claim("eve@acme.example")
    page = eve.post(f"/g/study/back{FRAMED}", {"visitor": token})

    assert masked("eve@acme.example") in page.text
    assert masked("ann@acme.example") not in page.text


def test_what_is_no_token_is_nobody(portal):
    for nonsense in ("", "x", "x" * 43, "\x00" * 43, "ä" * 43):
        assert back(portal, FRAMED, nonsense).status in {200, 400}


def test_no_page_outside_of_another_origins_frame_hands_one_over(portal, token):
    for path in ("", f"?in=frame&host={portal.settings.origin}"):
        ann = portal.browser()
        page = ann.get(f"/g/guide{path}")
        ann.client.delete_cookie("rp_s")
        done = ann.post(f"/g/guide{path}", {**page.fields, "email": "x@acme.example"})

        assert done.download
        assert handed(done) == ""
