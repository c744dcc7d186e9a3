"""
Typing a colleague's address.

On today's products whoever types another's address sees that person's fields prefilled,
overwrites them, subscribes him to newsletters, or is asked fewer questions because "we know
you". Here a typed address is a claim: it opens the gate, and shows and changes nothing.
"""

import re

import pytest
import sqlalchemy as sa

from regportal.forms.models import Answer
from regportal.identity.models import Contact

ANN = "ann@widgetworks.example"
CANARY = "Canary Widget Works 7f3a"


@pytest.fixture
def known(portal):
    """Ann, whom we know well."""
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()
    site = (portal.folder / "regportal.yaml").read_text()
    portal.publish(site.replace("questions: [country, company]", "questions: [company]"))
    ann.send("study", q_company=CANARY, n_news="yes")
    portal.work()
    portal.publish(site)
    return ann


def contacts(portal):
    """Return everything we know of everybody."""
    with portal.store.read() as session:
        found = session.execute(sa.select(Contact.__table__)).all()
        answers = session.execute(
            sa.select(Answer.__table__).where(Answer.contact_id.is_not(None))
        ).all()
    return [tuple(row) for row in (*found, *answers)]


def without_nonces(page):
    """Return a page without what is different in every answer."""
    text = re.sub(r'value="[^"]{40,}"', "", page.text)
    text = re.sub(r"/d/[\w-]{43}", "", text)
    return re.sub(r"[an]\*\*\*@w\*\*\*\.example", "", text).rstrip()  # and the padding


def test_who_types_a_known_address_sees_what_anybody_sees(portal, known):
    eve, mallory = portal.browser(), portal.browser()
    for gate in ("guide", "study", "prices"):
        pages = [
            (
                one.send(gate, email=address, remember="yes"),
                one.get(f"/g/{gate}/done"),
                one.gate("must"),
            )
            for one, address in ((eve, ANN), (mallory, "nobody@widgetworks.example"))
        ]
        for mine, other in zip(*pages, strict=True):
            assert mine.status == other.status
            assert without_nonces(mine) == without_nonces(other)
            assert mine.question == other.question
            assert set(mine.headers.keys()) == set(other.headers.keys())
            assert CANARY not in mine.text
        for one in (eve, mallory):
            one.client = portal.app.test_client()


def test_who_types_a_known_address_changes_nothing_of_it(portal, known):
    before = contacts(portal)
    eve = portal.browser()
    eve.claim(ANN)
    eve.send("study", q_country="FR", n_news="yes")
    eve.send("must", q_company="Evil Ltd")
    portal.work()

    assert contacts(portal) == before
    assert "Evil Ltd" not in repr(
        [c.payload for c in portal.told if c.topic.startswith("contact.u")]
    )
    assert all(
        one["contact"]["email"] != ANN or one["newsletter"] == "news"
        for one in portal.news("consent.changed")
    )


def test_the_request_of_a_claim_asks_no_table_of_contacts(portal, known):
    statements = []
    sa.event.listen(
        portal.store.engine,
        "before_cursor_execute",
        lambda c, cur, statement, *rest: statements.append(statement),
    )
    eve = portal.browser()
    eve.claim(ANN)
    eve.get("/g/guide/done")
    eve.send("study", q_country="FR", n_news="yes")
    eve.gate("prices")
    eve.send("prices", decline="yes")
    eve.get("/g/prices/done")

    tables = {
        name
        for statement in statements
        for name in re.findall(r'(?:FROM|JOIN|INTO|UPDATE)\s+"?(\w+)"?', statement, re.IGNORECASE)
    }
    assert {"claim", "visitor", "answer"} <= tables
    assert not tables & {"contact", "contact_role", "opportunity", "letter"}


def test_a_merely_claimed_download_moves_no_phase(portal, known):
    portal.hook("opportunity.upserted", {"external_id": "006A", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "006A", "email": ANN, "role": "Buyer"})
    site = (portal.folder / "regportal.yaml").read_text()
    portal.publish(site.replace("delivery: mail", "delivery: instant"))
    portal.work()
    eve = portal.browser()
    eve.claim(ANN, "prices")
    assert eve.get("/g/prices/done").download
    portal.work()

    assert portal.news("phase.changed") == [
        one for one in portal.news("phase.changed") if one["to"] != "comparison"
    ]


def test_a_confirmation_in_the_victims_browser_does_not_lift_the_attackers(portal):
    eve, ann = portal.browser(), portal.browser()
    eve.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()
    ann.send("study", q_country="DE")
    portal.work()

    page = eve.gate("study")
    assert page.question == "country", "what Ann said later is nothing Eve may profit from"
    eve.send("study", page, q_country="FR")
    portal.work()
    assert portal.news("contact.updated")[-1]["fields"]["country"]["value"] == "DE"
