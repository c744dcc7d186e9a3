"""Contacts, accounts and opportunities: found, read, taken along, and put right."""

import csv
import io
import json
import re
import zipfile
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.accounts.models import Audit
from regportal.buying.models import Opportunity
from regportal.forms.schema import Question
from regportal.identity.actions import find_contact
from regportal.identity.models import ContactLink, Visitor
from regportal.studio.saying import Sayer
from regportal.tracking.actions import owners
from tests.studio.customers import KIM, SAM

PROVEN = re.compile(r'data-rp="proven">(.*?)</section>', re.DOTALL)
CLAIMED = re.compile(r'data-rp="claimed">(.*?)</section>', re.DOTALL)


@pytest.fixture
def desk(company):
    """Where somebody works who sees everybody."""
    return company.at_desk("ann@acme.example", "marketer")


@pytest.fixture
def seller(company):
    """Where Sam works."""
    return company.at_desk(SAM, "seller")


def emails(page):
    return re.findall(r"<bdi>(\w+)@\w+\.example</bdi></a>", page.text)


def notes(company, action):
    """What the audit log says of a deed."""
    with company.store.read() as session:
        query = sa.select(Audit).where(Audit.action == action).order_by(Audit.id)
        return [(one.kind, one.key, one.change) for one in session.scalars(query)]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", {"ann", "bob", "eve"}),
        ("?q=a", {"ann"}),
        ("?account=crm:A-006", {"ann", "bob"}),
        ("?score=interest&level=warm", {"ann", "eve"}),
        ("?assurance=imported", set()),
        ("?phase=comparison&q=eve", {"eve"}),
        ("?q=&phase=&level=", {"ann", "bob", "eve"}),
    ],
)
def test_contacts_are_found_by_what_the_address_says(desk, customers, asked, found):
    page = desk.get(f"/contacts{asked}")

    assert page.status == 200
    assert set(emails(page)) == found
    assert customers.ann


def test_pages_lead_on_and_back_and_keep_what_is_asked_for(desk, customers):
    for number in range(60):
        customers.person(f"joe{number:02}@hooli.example")
    customers.scene.weigh()
    first = desk.get("/contacts?q=joe")
    [on] = re.findall(r'rel="next" href="/studio([^"]+)"', first.text)
    second = desk.get(on.replace("&amp;", "&"))
    [back] = re.findall(r'rel="prev" href="/studio([^"]+)"', second.text)

    assert emails(first) == [f"joe{number:02}" for number in range(50)]
    assert emails(second) == [f"joe{number:02}" for number in range(50, 60)]
    assert emails(desk.get(back.replace("&amp;", "&"))) == emails(first)


@pytest.mark.parametrize(
    "asked", ["?phase=a&phase=b", "?size=9", "?level=none", "?q=%00", "?at=x", "?order=name"]
)
def test_an_address_that_asks_for_nonsense_says_so(desk, customers, asked):
    page = desk.get(f"/contacts{asked}")

    assert page.status == 400
    assert customers.ann


@pytest.mark.parametrize(
    "path", ["/contacts", "/contacts/unconfirmed", "/accounts", "/opportunities"]
)
def test_every_list_is_taken_along_as_it_is_shown(company, desk, customers, path):
    rows = [*csv.DictReader(io.StringIO(desk.get(f"{path}.csv").text))]
    lines = [json.loads(line) for line in desk.get(f"{path}.jsonl").text.splitlines()]
    book = desk.take(f"{path}.xlsx")

    assert len(rows) == len(lines) > 0
    assert [*rows[0]] == [*lines[0]]
    assert "xl/worksheets/sheet1.xml" in zipfile.ZipFile(io.BytesIO(book)).namelist()
    assert [(change["form"], change["rows"]) for _, _, change in notes(company, "export")] == [
        (form, len(rows)) for form in ("csv", "jsonl", "xlsx")
    ]
    assert customers.ann


@pytest.mark.parametrize("name", ["deeds", "claimed", "answers", "consents"])
def test_every_table_of_a_person_is_taken_along(company, desk, customers, name):
    answer = desk.get(f"/contacts/{customers.ann}/{name}.csv")

    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}.csv"
    assert answer.headers["Cache-Control"] == "no-store"
    [(kind, key, change)] = notes(company, "export")
    assert (kind, key, change["table"]) == ("contact", str(customers.ann), name)


def test_who_takes_more_than_a_file_may_have_is_told_to_narrow_it(desk, customers, monkeypatch):
    monkeypatch.setattr("regportal.studio.lists.ALL", 2)
    page = desk.get("/contacts.csv")

    assert page.status == 400
    assert "more than 2 rows" in page.text
    assert desk.get("/contacts.csv?account=crm:A-006").status == 200
    assert customers.ann


def test_whatever_is_read_of_people_is_written_down_but_not_what_was_typed(
    company, desk, customers
):
    desk.get("/contacts?q=ann@initech.example")
    desk.get(f"/contacts/{customers.ann}")
    desk.get(f"/opportunities/{customers.mine}")
    desk.get("/account-of?key=crm:A-006")

    assert notes(company, "read") == [
        ("list", "contacts", {"rows": 1, "narrowed by": ["q"]}),
        ("contact", str(customers.ann), {}),
        ("opportunity", str(customers.mine), {}),
        ("account", "crm:A-006", {}),
    ]


def test_a_seller_sees_whom_he_looks_after_and_nobody_else(seller, customers):
    pages = [
        seller.get(path).text
        for path in (
            *("/contacts", "/contacts?order=score", "/contacts?q=e", "/contacts/unconfirmed"),
            *("/accounts", "/accounts?q=crm", "/opportunities", f"/opportunities?owner={KIM}"),
            *("/contacts.csv", "/contacts.jsonl", "/accounts.csv", "/opportunities.csv"),
            *(f"/contacts/{customers.ann}", f"/opportunities/{customers.mine}"),
        )
    ]

    assert "ann@initech.example" in pages[0]
    for foreign in ("eve@", "Globex", "A press", "crm:A-007", str(customers.others)):
        assert [page for page in pages if foreign in page] == []
    assert seller.get("/account-of?key=crm:A-007").status == 404
    assert seller.get("/account-of?key=globex.example").status == 404


def test_a_seller_is_not_told_of_anothers_purchase_of_his_own_customer(seller, customers):
    customers.deal("008", "A secret purchase", KIM, "Initech", customers.ann)
    customers.scene.weigh()

    assert "A secret purchase" not in seller.get(f"/contacts/{customers.ann}").text
    assert "A secret purchase" not in seller.get("/account-of?key=crm:A-006").text


def test_whoever_calls_himself_as_another_seller_sees_no_more(company, customers):
    desk = company.at_desk("mal@acme.example", "seller", name=SAM)
    desk.post("/account", {"name": SAM, "locale": "", "theme": ""})

    assert emails(desk.get("/contacts")) == []
    assert desk.get(f"/contacts/{customers.ann}").status == 404


def test_what_is_proven_and_what_is_only_claimed_stand_apart(desk, customers):
    page = desk.get(f"/contacts/{customers.ann}").text

    assert "Price list 2026" in PROVEN.search(page)[1]
    assert "/unproven" not in PROVEN.search(page)[1]
    assert "/unproven" in CLAIMED.search(page)[1]
    assert "Price list 2026" not in CLAIMED.search(page)[1]


def test_a_person_says_why_a_score_is_what_it_is(desk, customers):
    page = desk.get(f"/contacts/{customers.ann}").text
    why = re.search(r'data-rp="score">(.*?)</section>', page, re.DOTALL)[1]

    assert re.search(r"Why (19\.\d|20)\?", why)
    assert "download: <bdi>Price list 2026</bdi>" in why
    assert "20 then" in why


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "Asked because: the first question of this gate that is open"),
        ("de", "Gefragt, weil: die erste offene Frage dieser Schranke"),
    ],
)
def test_a_person_says_why_a_question_was_asked(company, desk, language, says):
    portal, browser = company.portal, company.portal.browser()
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=2)) as clock:
        browser.claim("kim@widgetworks.example")
        portal.work()
        browser.prove(portal)
        clock.shift(timedelta(hours=1))
        page = browser.gate("guide")
        browser.send("guide", page, **{f"q-{page.question}": "DE"})
        portal.work()

    with portal.store.read() as session:
        kim = find_contact(session, "kim@widgetworks.example").id
    shown = desk.get(f"/contacts/{kim}", **{"Accept-Language": language}).text
    assert f'data-rp="because">{says}</span>' in shown


def test_a_sensitive_answer_is_nowhere(desk, customers):
    question = {"key": "health", "type": "text", "label": "How are you?", "sensitive": True}
    customers.scene.publish(Question.model_validate(question))
    customers.scene.answers(customers.ann, "health", "asthma", now=customers.now)
    page = desk.get(f"/contacts/{customers.ann}")
    files = [desk.get(f"/contacts/{customers.ann}/answers.{form}") for form in ("csv", "jsonl")]

    assert "How are you?" in page.text
    assert "kept, and not shown" in page.text
    assert [one for one in (page, *files) if "asthma" in one.text] == []


def test_consent_stands_there_with_its_proof(portal, company):
    browser = portal.browser()
    browser.claim("ann@initech.example", gate="prices", n_prices="yes")
    portal.work()
    browser.prove(portal)
    portal.work()
    desk = company.at_desk("pia@acme.example", "privacy")
    [row, *_] = [json.loads(line) for line in desk.get("/contacts.jsonl").text.splitlines()]
    page = desk.get(f"/contacts/{row['key']}").text
    consents = re.findall(r'data-rp="consent">(.*?)</details>', page, re.DOTALL)

    assert "gets it" in consents[0]
    assert "Send me price alerts." in consents[0]
    assert re.search(r"<bdi>[0-9a-f]{64}</bdi>", consents[0])
    assert re.search(r"<bdi>&lt;[^<]+@[^<]+&gt;</bdi>", consents[0])


def test_an_opportunity_says_since_when_why_who_and_what_next(seller, customers):
    page = seller.get(f"/opportunities/{customers.mine}").text

    assert re.search(r"Comparison\s+</p>", page)
    assert "ann@initech.example downloaded Price list 2026 (1 needed in 45 days)" in page
    assert "bob@initech.example" in page
    assert "<strong>Decision</strong>: a download of an order form or a contract" in page
    assert 'href="https://crm.acme.example/deals/006"' in page


@pytest.mark.parametrize(("language", "amount"), [("en", "€12,000.00"), ("de", "12.000,00\xa0€")])
def test_what_it_is_worth_is_written_as_money(seller, customers, language, amount):
    listed = seller.get("/opportunities", **{"Accept-Language": language})
    shown = seller.get(f"/opportunities/{customers.mine}", **{"Accept-Language": language})

    assert f"<bdi>{amount}</bdi>" in listed.text
    assert f"<bdi>{amount}</bdi>" in shown.text


@pytest.mark.parametrize(
    ("number", "currency", "says"),
    [
        ("18400", "GBP", "£18,400.00"),
        ("about 9", "GBP", "about 9 GBP"),
        ("1e999999", "EUR", "1e999999 EUR"),
        ("12.5", "<b>", "12.5 <b>"),
        ("12.5", None, "12.5"),
    ],
)
def test_what_is_no_money_is_said_as_it_was_told(company, number, currency, says):
    with company.store.read() as session:
        published = company.portal.shelf.published(session)

    assert Sayer(published, "en").amount(number, currency) == says


@pytest.mark.parametrize(
    ("language", "day"), [("en", "7 February 2027"), ("de", "7. Februar 2027")]
)
def test_the_day_to_close_it_is_written_as_other_days(seller, customers, language, day):
    def told(session):
        session.execute(sa.update(Opportunity).values(close_date=date(2027, 2, 7)))

    customers.scene.store.write(told)
    page = seller.get(f"/opportunities/{customers.mine}", **{"Accept-Language": language})

    assert f"<bdi>{day}</bdi>" in page.text


def test_a_seller_to_whom_the_crm_gives_nothing_is_told_by_which_name_he_is_known(
    company, customers
):
    page = company.at_desk("new@acme.example", "seller").get("/opportunities")
    narrowed = company.at_desk("newer@acme.example", "seller").get("/opportunities?state=won")

    assert "looked after by new@acme.example" in page.text
    assert "There is no such opportunity yet." in narrowed.text


@pytest.mark.parametrize(
    ("language", "says"),
    [("de", "hat Price list 2026 heruntergeladen"), ("ar", 'dir="rtl"')],
)
def test_it_is_said_in_the_language_of_whoever_reads_it(seller, customers, language, says):
    page = seller.get(f"/opportunities/{customers.mine}", **{"Accept-Language": language})

    assert says in page.text
    assert "What next" not in page.text


def test_a_deed_that_was_somebody_elses_is_taken_back_once_and_told_why(company, desk, customers):
    address = f"/contacts/{customers.ann}/not-theirs/deed/{customers.took}"
    asked, without = desk.get(address), desk.post(address, {"because": " "})
    with company.store.read() as session:
        before = owners(session, [customers.took])
    done = desk.post(address, {"because": "It was her assistant"})
    with company.store.read() as session:
        after = owners(session, [customers.took])
    customers.scene.weigh()

    assert (asked.status, without.status, done.status) == (200, 422, 303)
    assert without.errors == {"because": "Please fill this in."}
    assert (before, after) == ({customers.ann}, set())
    assert notes(company, "revert") == [
        ("contact", str(customers.ann), {"what": str(customers.took)})
    ]
    assert desk.post(address, {"because": "again"}).status == 404
    assert "Price list 2026" not in desk.get(f"/contacts/{customers.ann}").text


def test_an_address_of_somebody_else_becomes_a_person_of_its_own(company, desk, customers):
    joined = customers.join(customers.ann, customers.bob)
    page = desk.get(f"/contacts/{customers.ann}").text
    address = f"/contacts/{customers.ann}/not-theirs/address/{joined}"
    done = desk.post(address, {"because": "Two people"})
    with company.store.read() as session:
        held = session.scalars(sa.select(ContactLink.id).where(ContactLink.undone_at.is_(None)))
        left = held.all()

    assert "bob@initech.example" in page
    assert (done.status, left) == (303, [])
    assert notes(company, "split") == [("contact", str(customers.ann), {"what": str(joined)})]


def test_nobody_is_recognised_any_more_in_a_browser_that_is_somebody_elses(portal, company):
    browser = portal.browser()
    browser.claim("ann@initech.example", gate="guide")
    portal.work()
    browser.prove(portal)
    portal.work()
    desk = company.at_desk("ann@acme.example", "marketer")
    [row] = [json.loads(line) for line in desk.get("/contacts.jsonl").text.splitlines()]
    page = desk.get(f"/contacts/{row['key']}").text
    [path] = set(re.findall(r'href="/studio(/contacts/[^"]+/not-theirs/browser/[^"]+)"', page))
    done = desk.post(path, {"because": "A kiosk"})
    with company.store.read() as session:
        ended = session.scalars(sa.select(Visitor.ended_at)).all()

    assert done.status == 303
    assert None not in ended
    assert "not-you" not in browser.gate("guide").text
    assert [kind for kind, _, _ in notes(company, "unlink")] == ["contact"]
