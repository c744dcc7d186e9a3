"""
Forwarding a mail.

A link in a mail that carries the receiver's identity makes everybody he forwards it to him:
they see his name in the next form, and what they do is written down as his. Here a link proves
one browser, once, and only by the press of a button on a page that says whose request it is.
Whoever opens it later is shown the gate, and is asked for an address of his own.
"""

import pytest
import sqlalchemy as sa

from regportal.tracking.models import Interaction

ANN, BOB = "ann@widgetworks.example", "bob@elsewhere.example"
SECRET = "Widget Works of Leeds"


@pytest.fixture
def forwarded(portal):
    """A link that Ann has used, and now forwards to Bob."""
    ann = portal.browser()
    ann.claim(ANN)
    ann.send("study", q_country="US")
    ann.send("must", q_company=SECRET)
    portal.work()
    ann.prove(portal)
    portal.work()
    return portal.link()


def test_bob_is_not_ann(portal, forwarded):
    bob = portal.browser()
    page = bob.get(forwarded)

    assert page.status == 410
    assert 'href="/g/guide"' in page.text
    assert ANN not in page.text
    assert SECRET not in page.text
    assert bob.post(forwarded, {"choice": "confirm"}).status == 410
    assert bob.gate("guide").asks_email
    assert bob.get("/g/guide/done").status == 303


def test_bob_can_ask_for_himself(portal, forwarded):
    bob = portal.browser()
    bob.get(forwarded)
    bob.claim(BOB)
    portal.work()

    assert bob.get("/g/guide/done").status == 200
    with portal.store.read() as session:
        claims = session.scalars(sa.select(Interaction.claim_id).distinct()).all()
    assert len(claims) == 2


def test_looking_at_a_fresh_link_makes_nobody_ann(portal):
    portal.browser().claim(ANN)
    portal.work()
    bob = portal.browser()
    for _ in range(3):
        assert bob.get(portal.link()).status == 200

    assert bob.gate("guide").asks_email
    assert bob.get("/g/guide/done").status == 303


def test_the_link_of_a_download_stays_in_its_browser(portal, forwarded):
    ann, bob = portal.browser(), portal.browser()
    ann.claim("ann@second.example")
    download = ann.get("/g/guide/done").download

    assert "guide.txt" in ann.get(download).text
    assert bob.get(download, **{"Sec-Fetch-Mode": "navigate"}).status == 303
    assert bob.get(download, Accept="*/*").status in {303, 403}
