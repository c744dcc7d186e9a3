"""The way to a gate: file, title, questions, newsletter, look, publish; and what comes after."""

import html
import io
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from regportal.documents.releasing import publish_due
from regportal.forms.schema import Gate
from regportal.library.schema import Asset
from tests.portal import ORIGIN, SITE, Portal
from tests.studio.staff import Answer, Company

PDF = b"%PDF-1.7\n" + b"widgets " * 1000
IN_BERLIN = """
buying:
  model: ours
  timezone: Europe/Berlin
  phases: [{id: unaware}, {id: need, enter: {any: [{event: download, within: 30d}]}}]
"""
CAREFUL = SITE.replace("site:\n", "site:\n  publish: {approval: by-another}\n", 1)


@pytest.fixture
def desk(company):
    return company.at_desk("ann@acme.example", "marketer")


def begin(desk, name="price_list-2027.pdf", content=PDF):
    """Begin the way with a file; return where it leads."""
    desk.get("/gates/new")
    answer = desk.post("/gates/new", {"file": (io.BytesIO(content), name)})
    assert answer.status == 303, answer.text
    return answer.leads_to.removeprefix("/studio").removesuffix("/about")


def tell(desk, draft, **about):
    said = {"title": "All prices of 2027", "category": "price-list", **about}
    return desk.post(f"{draft}/about", said)


def decide(desk, draft, deed="publish", **fields):
    shown = desk.get(draft)
    revision = re.search(r'name="revision"[^>]*value="(\d+)"', shown.text)
    return desk.post(f"{draft}/{deed}", {"revision": revision[1] if revision else "0", **fields})


def published(company):
    with company.store.read() as session:
        return company.portal.shelf.published(session)


def made(desk, **about):
    """Make a gate and publish it."""
    draft = begin(desk)
    tell(desk, draft, **about)
    assert decide(desk, draft).status == 303
    return draft


def test_the_way_leads_from_a_file_to_a_gate_that_holds(company, desk):
    draft = begin(desk)
    shown = desk.get(f"{draft}/about")
    assert 'value="Price list 2027"' in shown.text
    assert re.search(r'<option selected value="price-list"', shown.text)
    assert tell(desk, draft, text="Two pages.").leads_to.endswith("/questions")
    after = desk.post(f"{draft}/questions", {"chosen": ["company", "country"]})
    assert after.leads_to.endswith("/newsletters")
    desk.post(f"{draft}/newsletters", {"chosen": ["prices", "news"]})
    answer = decide(desk, draft, note="For the fair")
    assert answer.leads_to == "/studio/gates/all-prices-of-2027"

    gate = published(company).one(Gate, "all-prices-of-2027")
    asset = published(company).one(Asset, gate.asset)
    assert gate.headline == asset.title == "All prices of 2027"
    assert gate.questions == ("country", "company")  # as the bank has them
    assert gate.newsletters == ("prices", "news")
    assert asset.topics == ("pricing", "widgets")
    assert (asset.content.name, asset.content.type) == ("price_list-2027.pdf", "application/pdf")
    assert company.deeds()[-2:] == ["draft", "publish"]
    assert "For the fair" in desk.get("/gates/all-prices-of-2027").text
    visitor = company.portal.app.test_client().get("/g/all-prices-of-2027", base_url=ORIGIN)
    assert "All prices of 2027" in visitor.get_data(as_text=True)


def test_every_way_onto_a_page_names_the_gate(company, desk):
    made(desk, title='Prices & "more"')
    shown = html.unescape(desk.get("/gates/prices-more").text)

    assert '<regportal-gate gate="prices-more">' in shown
    assert f'<iframe src="{ORIGIN}/g/prices-more?in=frame"' in shown
    assert f'<a href="{ORIGIN}/g/prices-more">Prices &amp; &quot;more&quot;</a>' in shown
    assert '{{< regportal-gate gate="prices-more" >}}' in shown
    assert '<RegportalGate gate="prices-more"' in shown


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("prices.pdf", b"<script>", "not what its name says"),
        ("prices.pdf", b"", "empty"),
        ("", b"", "choose a file"),
    ],
)
def test_what_is_no_file_is_refused_beside_its_field(desk, name, content, says):
    desk.get("/gates/new")
    answer = desk.post("/gates/new", {"file": (io.BytesIO(content), name)})

    assert answer.status == 422
    assert says in answer.errors["file"]


@pytest.mark.parametrize("url", ["http://a.example/x", "javascript:alert(1)", "https://a b"])
def test_only_an_https_address_can_stand_for_a_file(desk, url):
    desk.get("/gates/new")

    assert "url" in desk.post("/gates/new", {"url": url}).errors


def test_a_gate_may_lead_to_an_address_elsewhere(company, desk):
    desk.get("/gates/new")
    answer = desk.post("/gates/new", {"url": "https://cdn.acme.example/Price_List.pdf"})
    draft = answer.leads_to.removeprefix("/studio").removesuffix("/about")
    decide(desk, draft)

    assert published(company).one(Asset, "price-list").url.endswith("Price_List.pdf")


def upload(desk, url, at, part):
    response = desk.client.post(
        f"/studio{url}?at={at}",
        data=part,
        headers={
            "User-Agent": desk.agent,
            "Origin": ORIGIN,
            "Sec-Fetch-Site": "same-origin",
            "X-CSRFToken": desk.token,
            "Content-Type": "application/octet-stream",
        },
        base_url=ORIGIN,
    )
    return Answer(response)


def test_a_file_in_parts_goes_on_where_the_line_broke(company, desk):
    desk.get("/gates/new")
    arrival = uuid.uuid4()
    assert upload(desk, f"/uploads/{arrival}", 0, PDF[:3000]).status == 200
    assert upload(desk, f"/uploads/{arrival}", 0, PDF[:3000]).status == 409  # it is there already
    assert '"arrived":3000' in desk.get(f"/uploads/{arrival}").text.replace(" ", "")
    assert upload(desk, f"/uploads/{arrival}", 3000, PDF[3000:]).status == 200
    desk.get("/gates/new")
    answer = desk.post("/gates/new", {"arrival": str(arrival), "name": "guide.pdf"})
    draft = answer.leads_to.removeprefix("/studio").removesuffix("/about")
    decide(desk, draft)

    assert published(company).one(Asset, "guide-2").content.size == len(PDF)


def test_nobody_reaches_the_upload_of_somebody_else(company, desk):
    arrival = uuid.uuid4()
    desk.get("/gates/new")
    upload(desk, f"/uploads/{arrival}", 0, PDF)
    bo = company.at_desk("bo@acme.example", "marketer")
    bo.get("/gates/new")

    assert '"arrived":0' in bo.get(f"/uploads/{arrival}").text.replace(" ", "")
    assert bo.post("/gates/new", {"arrival": str(arrival), "name": "a.pdf"}).status == 422


def test_a_change_is_told_in_words_and_an_older_version_holds_once_more(company, desk):
    made(desk, headline="Old words")
    key = "all-prices-of-2027"
    desk.get(f"/gates/{key}")
    draft = desk.post(f"/gates/{key}/edit").leads_to.removeprefix("/studio").removesuffix("/about")
    tell(desk, draft, headline="New words")
    assert 'headline: "Old words" becomes "New words"' in html.unescape(desk.get(draft).text)
    decide(desk, draft)
    assert published(company).one(Gate, key).headline == "New words"
    desk.get(f"/gates/{key}")
    back = desk.post(f"/gates/{key}/versions/1").leads_to.removeprefix("/studio")
    assert 'headline: "New words" becomes "Old words"' in html.unescape(desk.get(back).text)
    decide(desk, back)

    assert published(company).one(Gate, key).headline == "Old words"
    assert "Version 3" in desk.get(f"/gates/{key}").text


def test_two_who_change_one_gate_write_on_one_draft(company, desk):
    made(desk)
    bo = company.at_desk("bo@acme.example", "marketer")
    found = []
    for one in (desk, bo):
        one.get("/gates")
        found.append(one.post("/gates/all-prices-of-2027/edit").leads_to)

    assert found[0] == found[1]


def test_whoever_looked_at_something_else_looks_again(desk):
    draft = begin(desk)
    desk.get(draft)
    tell(desk, draft)
    answer = desk.post(f"{draft}/publish", {"revision": "0"})

    assert answer.status == 409
    assert "was changed since you looked" in answer.text


def test_what_somebody_published_since_is_looked_at_first(company, desk):
    made(desk)
    desk.get("/gates")
    answer = desk.post("/gates/all-prices-of-2027/edit")
    draft = answer.leads_to.removeprefix("/studio").removesuffix("/about")
    tell(desk, draft, headline="Mine")
    other = desk.post("/gates/all-prices-of-2027/versions/1").leads_to.removeprefix("/studio")
    tell(desk, other, headline="Theirs")
    decide(desk, other)
    shown = desk.get(draft)
    assert "somebody published it since" in shown.text
    assert "Publish now" not in shown.text
    desk.post(f"{draft}/anew")
    decide(desk, draft)

    assert published(company).one(Gate, "all-prices-of-2027").headline == "Mine"


def test_a_draft_is_published_later_by_itself(company, desk):
    draft = begin(desk)
    at = datetime.now(UTC) + timedelta(hours=2)
    past = decide(desk, draft, "schedule", at="2020-01-01T12:00")
    assert past.status == 400
    assert "has passed" in past.text
    assert decide(desk, draft, "schedule", at=f"{at:%Y-%m-%dT%H:%M}").status == 303
    storage = company.portal.app.extensions["regportal.storage"]
    publish_due(company.store, storage, now=at - timedelta(minutes=2))
    assert published(company).find(Gate, "price-list-2027") is None
    publish_due(company.store, storage, now=at + timedelta(minutes=1))

    assert published(company).find(Gate, "price-list-2027") is not None


def test_later_is_by_the_clock_of_the_site_which_is_named(company, desk):
    company.portal.publish(SITE + IN_BERLIN)
    draft = begin(desk)
    assert "When (by the clock of Europe/Berlin)" in desk.get(draft).text
    decide(desk, draft, "schedule", at="2031-07-01T09:00")
    shown, listed = desk.get(draft).text, desk.get("/gates").text
    storage = company.portal.app.extensions["regportal.storage"]
    publish_due(company.store, storage, now=datetime(2031, 7, 1, 6, 59, tzinfo=UTC))
    before = published(company).find(Gate, "price-list-2027")
    publish_due(company.store, storage, now=datetime(2031, 7, 1, 7, 1, tzinfo=UTC))

    assert before is None
    assert published(company).find(Gate, "price-list-2027") is not None
    assert "1 July 2031, 09:00 CEST" in html.unescape(shown)
    assert "1 July 2031, 09:00 CEST" in html.unescape(listed)


def test_questions_are_asked_in_the_order_that_is_chosen(company, desk):
    draft = begin(desk)
    chosen = {"chosen": ["country", "company"]}
    desk.post(f"{draft}/questions", chosen)
    moved = desk.post(f"{draft}/questions", {**chosen, "up": "company"})
    shown = desk.get(f"{draft}/questions").text
    decide(desk, draft)

    assert moved.leads_to.endswith("/questions")
    assert shown.index('value="company"') < shown.index('value="country"')
    assert re.findall(r'name="up" value="(\w+)"', shown) == ["country"]
    assert published(company).one(Gate, "price-list-2027").questions == ("company", "country")


def test_where_another_approves_nobody_publishes_his_own_work(company, desk):
    company.portal.publish(CAREFUL)
    draft = begin(desk)
    assert "Publish now" not in desk.get(draft).text
    assert decide(desk, draft).status == 403
    decide(desk, draft, "propose", note="For the fair")
    bo = company.at_desk("bo@acme.example", "marketer")
    assert "ann@acme.example asks you to look at it." in bo.get(draft).text
    assert decide(bo, draft).status == 303

    assert published(company).find(Gate, "price-list-2027") is not None


def test_a_draft_can_be_taken_back_and_thrown_away(company, desk):
    company.portal.publish(CAREFUL)
    draft = begin(desk)
    decide(desk, draft, "propose")
    desk.post(f"{draft}/open")
    assert "asks you to look" not in desk.get(draft).text
    desk.post(f"{draft}/discard")

    assert desk.get(draft).status == 404
    assert "/drafts/" not in desk.get("/gates").text


def previews(desk, draft):
    """Where a stranger is shown to meet it, and whoever comes again."""
    shown = desk.get(draft).text
    found = re.findall(rf'<a href="{ORIGIN}([^"]+)" target="preview">', shown)
    assert f'src="{ORIGIN}{found[0]}"' in shown
    return found


def test_the_preview_shows_the_public_gate_and_counts_nothing(company, desk):
    draft = begin(desk)
    tell(desk, draft, headline="Soon")
    desk.post(f"{draft}/questions", {"chosen": ["company"]})
    address, address_again = previews(desk, draft)
    client = company.portal.app.test_client()
    stranger = client.get(address, base_url=ORIGIN)
    again = client.get(address_again, base_url=ORIGIN)

    assert "Soon" in stranger.text
    assert 'name="email"' in stranger.text
    assert "Which company?" in again.text
    assert "v***@c***.example" in again.text
    assert "form-action 'none'" in stranger.headers["Content-Security-Policy"]
    assert f"frame-ancestors {ORIGIN};" in stranger.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in stranger.headers
    assert client.post(address, base_url=ORIGIN).status_code == 405
    assert client.get("/g/all-prices-of-2027", base_url=ORIGIN).status_code == 404


def test_a_preview_of_nobody_is_not_there(company, desk):
    address, _ = previews(desk, begin(desk))
    client = company.portal.app.test_client()
    forged = [address[:-1], address[:-1] + "x", "/preview/x", "/preview/WyJhIiwxXQ.x"]

    assert [client.get(one, base_url=ORIGIN).status_code for one in forged] == [404] * 4


def test_what_is_worth_a_second_look_is_said_with_where_to_mend_it(desk):
    draft = begin(desk)
    tell(desk, draft, headline="By downloading you agree to our calls")
    shown = desk.get(draft).text

    assert "a permission stands alone" in shown
    assert re.search(r'href="/studio/drafts/[^"]+/about">Mend it', shown)


def remarks(desk, draft, **about):
    answer = desk.post(f"{draft}/remarks", {"title": "Prices", "category": "paper", **about})
    assert answer.status == 200
    found = re.findall(r'id="([a-z]+)-remark">([^<]*)<', answer.text)
    return {field: html.unescape(says) for field, says in found}


def test_what_is_typed_is_looked_at_and_not_kept(desk):
    draft = begin(desk)
    bundled = "By downloading you agree to our calls"
    found = remarks(desk, draft, headline=bundled, text="Two pages.")

    assert "a permission stands alone" in found["headline"]
    assert (found["title"], found["text"]) == ("", "")
    assert remarks(desk, draft, title="")["title"] == "Please fill this in."
    assert bundled not in desk.get(f"{draft}/about").text
    tell(desk, draft, headline=bundled)
    assert "a permission stands alone" in desk.get(f"{draft}/about").text


def test_a_text_that_lacks_a_language_is_remarked_beside_its_field(company, desk):
    company.portal.publish(SITE.replace("headline: All prices,", "headline: {en: All, de: Alle},"))

    assert remarks(desk, begin(desk))["headline"] == "is not written in de"


HOSTILE = '"><script>alert(1)</script>{{7*7}}'


def test_a_hostile_title_is_text_everywhere(desk):
    arrival = uuid.uuid4()
    desk.get("/gates/new")
    upload(desk, f"/uploads/{arrival}", 0, PDF)
    answer = desk.post("/gates/new", {"arrival": str(arrival), "name": f"{HOSTILE}.pdf"})
    draft = answer.leads_to.removeprefix("/studio").removesuffix("/about")
    tell(desk, draft, title=HOSTILE, text=HOSTILE)
    decide(desk, draft, note=HOSTILE)
    pages = [desk.get(path).text for path in ("/gates", "/gates/script-alert-1-script-7-7", "/")]

    assert not any("<script>alert" in page for page in pages)
    assert all("{{7*7}}" in page for page in pages)


def test_a_draft_of_something_else_is_no_draft_of_a_gate(desk):
    assert desk.get(f"/drafts/{uuid.uuid4()}").status == 404


def test_nobody_but_a_marketer_or_an_owner_sees_gates(company):
    desk = company.at_desk("cy@acme.example", "seller")

    assert desk.get("/gates").status == 403
    assert "/studio/gates" not in desk.get("/").text


def test_before_anything_is_published_there_is_nothing_to_begin(database_url, tmp_path):
    portal = Portal(database_url, tmp_path)
    try:
        desk = Company(portal).at_desk("ann@acme.example", "owner")
        assert desk.get("/gates/new").status == 404
        assert "Nothing is published yet" in desk.get("/gates").text
    finally:
        portal.close()
