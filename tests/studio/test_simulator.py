"""The visit simulator: the engine's own answers as a page, and nobody the wiser."""

import contextlib
import html
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.documents.drafts import Piece, begin
from regportal.documents.history import body_of
from regportal.documents.scenarios import usual
from regportal.documents.simulating import simulate
from regportal.forms.schema import Question
from regportal.store.base import Base
from tests.app.test_headers import P16, check
from tests.portal import FIREFOX, ORIGIN, SITE, Portal
from tests.studio.staff import Company

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PICTURE = re.compile(r'<iframe [^>]*src="([^"]+)"')
CARD = re.compile(
    r'<li class="card" data-rp="visit">(.*?)</li>\s*(?=<li class="card"|</ol>)', re.DOTALL
)
SCORES = """
scores:
  - key: interest
    profile: {points: [{answer: {question: company, known: true}, points: 20}]}
    behaviour: [{group: files, half_life: 14d, points: [{event: download, points: 30}]}]
    thresholds: {warm: 25, hot: 60}
"""


def cards(answer):
    """Each visit as plain text."""
    found = CARD.findall(answer.text)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", one)).split()) for one in found]


def pictures(answer):
    return [html.unescape(one) for one in PICTURE.findall(answer.text)]


def look(company, address):
    """Open what a frame shows, as a browser without any cookie does."""
    path = address.removeprefix(company.portal.settings.base_url)
    return company.portal.app.test_client().get(
        path, base_url=ORIGIN, headers={"User-Agent": FIREFOX, "Sec-Fetch-Dest": "iframe"}
    )


def published(company):
    with company.store.read() as session:
        return company.portal.shelf.published(session)


def everything(store):
    """Every row of every table but those of whoever is signed in."""
    skipped = {"studio_session"}
    with store.read() as session:
        return {
            table.name: sorted(map(repr, session.execute(sa.select(table)).all()))
            for table in Base.metadata.sorted_tables
            if table.name not in skipped
        }


@pytest.fixture
def desk(company):
    company.portal.publish(SITE + SCORES)
    return company.at_desk("ann@acme.example", "marketer")


def test_the_page_shows_six_visits_before_anything_is_chosen(company, desk):
    page = desk.get("/simulator")
    told = simulate(published(company), usual(6), begins=datetime.now(UTC))
    questions = {one.key: one.label for one in published(company).all(Question)}

    assert page.status == 200
    assert len(cards(page)) == 6
    for card, met in zip(cards(page), told, strict=True):
        assert met.why in card
        assert ("Your e-mail address" if met.email else questions.get(met.question, "")) in card
        assert (met.standing.label if met.standing else "nobody has proven") in card
        assert all(f"{one.label} {one.value:g}" in card for one in met.standing.scores)
    assert "who somebody is +20" in cards(page)[-1]


def test_every_visit_shows_the_gate_as_the_visitor_finds_it(company, desk):
    page = desk.get("/simulator?gate=guide&channel=phone")
    shown = [look(company, one) for one in pictures(page)]
    texts = [one.get_data(as_text=True) for one in shown]

    assert [one.status_code for one in shown] == [200] * 6
    assert 'class="visits phone"' in page.text
    assert 'name="email"' in texts[0]
    assert 'name="q-country"' in texts[1]
    assert "v***@c***.example" in texts[1]
    assert not any('name="email"' in one for one in texts[1:])


@pytest.mark.parametrize(
    ("language", "day"),
    [("en", r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]+ \d{4}"), ("de", r"\d+\. \w+\.? \d{4}")],
)
def test_days_are_written_as_on_the_other_pages(desk, language, day):
    page = desk.get("/simulator?gate=guide&times=1", **{"Accept-Language": language})

    assert re.search(rf'<span class="note">[^<]*{day}</span>', page.text)


def test_the_way_changes_with_what_he_does(desk):
    page = desk.get(
        "/simulator?times=4&between=1d&visits-1-gate=guide&visits-1-does=decline"
        "&visits-2-does=leave&visits-3-gate=prices&mail=ignores"
    )
    told = cards(page)

    assert len(told) == 4
    assert "would rather not say" in told[1]
    assert "went away" in told[2]
    assert "nobody has proven the address yet" in told[3]


def test_a_ticked_box_is_kept_by_the_address(desk):
    page = desk.get("/simulator?gate=guide&visits-0-newsletter=y")

    assert "Ticks the box" in cards(page)[0]
    assert "none is offered" in cards(page)[1]


def test_a_draft_is_shown_as_if_it_held(company, desk):
    with company.store.read() as session:
        body = dict(body_of(session, "question", "country", 1))

    def write(session):
        piece = Piece("question", "country", body | {"label": "Where do you live?"})
        return begin(session, [piece], "ann@acme.example", now=datetime.now(UTC)).id

    key = company.store.write(write)
    before, after = desk.get("/simulator"), desk.get(f"/simulator?draft={key}")

    assert "Where do you live?" not in "".join(cards(before))
    assert "Where do you live?" in cards(after)[1]
    assert "Where do you live?" in look(company, pictures(after)[1]).get_data(as_text=True)


def test_a_draft_that_could_not_be_published_says_why(company, desk):
    def write(session):
        piece = Piece("gate", "odd", {"asset": "nowhere", "headline": "Odd"})
        return begin(session, [piece], "ann@acme.example", now=datetime.now(UTC)).id

    page = desk.get(f"/simulator?draft={company.store.write(write)}")

    assert page.status == 422
    assert "nowhere" in page.errors["draft"]
    assert cards(page) == []


def test_nothing_that_is_kept_changes(company, desk):
    company.portal.work()
    before = everything(company.store)
    for query in ("", "?who=known", "?who=on-opportunity&times=12&visits-0-newsletter=y"):
        page = desk.get(f"/simulator{query}")
        for address in pictures(page):
            assert look(company, address).headers.getlist("Set-Cookie") == []
    company.portal.work()

    assert everything(company.store) == before
    assert company.portal.mails() == []


def test_a_gate_in_a_frame_does_nothing(company, desk):
    address = pictures(desk.get("/simulator"))[0]
    shown = look(company, address)
    sent = company.portal.app.test_client().post(
        address.removeprefix(company.portal.settings.base_url), base_url=ORIGIN
    )

    check(shown, P16)
    assert sent.status_code == 405


def test_a_picture_is_for_an_hour_or_two_and_cannot_be_made_up(company, desk):
    address = pictures(desk.get("/simulator"))[0]
    forged = [f"{address}x", address.replace("/preview/", "/preview/WzE"), f"{ORIGIN}/preview/x"]
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2, seconds=1)):
        late = look(company, address)

    assert late.status_code == 404
    assert [look(company, one).status_code for one in forged] == [404] * 3


def test_what_cannot_be_chosen_is_refused_beside_its_field(desk):
    for query, field in (
        ("gate=none", "gate"),
        ("who=%3Cscript%3E", "who"),
        ("times=99999999", "times"),
        ("times=-1", "times"),
        ("between=1s", "between"),
        ("channel=x%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "channel"),
        ("draft=019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "draft"),
        ("draft=%00", "draft"),
        ("visits-2-gate=none", "gate"),
    ):
        page = desk.get(f"/simulator?{query}")

        assert page.status == 422, query
        assert page.errors == {field: "Please choose one of these."}, query
        assert "<script>" not in page.text, query
        assert cards(page) == [], query


def test_more_visits_than_there_are_fields_for_are_not_worked_out(desk):
    many = "&".join(f"visits-{number}-gate=guide" for number in range(2000))
    page = desk.get(f"/simulator?{many}")

    assert page.status == 200
    assert len(cards(page)) == 6


def test_markup_in_documents_is_text(company, desk):
    hostile = SITE.replace("Which company?", "<script>alert(1)</script>\\u202e")
    company.portal.publish(hostile)
    page = desk.get("/simulator")
    shown = [look(company, one).get_data(as_text=True) for one in pictures(page)]

    assert hostile != SITE
    assert "<script>alert" not in page.text + "".join(shown)
    assert "&lt;script&gt;alert" in page.text


def test_where_nothing_is_published_the_page_says_so(database_url, tmp_path):
    with contextlib.closing(Portal(database_url, tmp_path, limits="off")) as portal:
        page = Company(portal).at_desk("ann@acme.example", "marketer").get("/simulator")

    assert page.status == 200
    assert "No gate is published yet" in page.text


def test_nobody_is_led_to_a_kiosk(company, desk):
    company.portal.publish(SITE.replace("key: guide, asset", "key: guide, kiosk: true, asset"))

    assert "The guide" not in desk.get("/simulator").text
    assert desk.get("/simulator?gate=guide").errors["gate"] == "Please choose one of these."
