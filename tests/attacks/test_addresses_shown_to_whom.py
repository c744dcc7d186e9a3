"""
Reading whom the company knows without being allowed to (security.md T-21, T-29).

An analyst is told numbers, an auditor who did what, an administrator whether it goes out; none of
them has to know anybody's address, and each could put it together from the edges: a list's files, a
message's reason, the page of a connector, what a colleague read. So every page that such a role may
open is opened, in every form in which it can be taken along, and no address of a contact is in it.
"""

import contextlib
import gzip
import io
import zipfile

import pytest
import sqlalchemy as sa
from werkzeug.routing import BuildError

from regportal.accounts.roles import GRANTED, Permission, Role
from regportal.outbox.models import Message, MessageState
from tests.studio.customers import KIM, SAM, Customers
from tests.studio.staff import Company, Desk
from tests.sync.conftest import Town

ANN, EVE, LIV = "ann@initech.example", "eve@globex.example", "liv@hooli.example"
SAYS = f"the CRM refused <{ANN}>, and mailto:{EVE.replace('@', '%40')}"
WITHOUT = [role for role in Role if Permission.CONTACTS not in GRANTED[role]]
"""Who sees no contacts."""


@pytest.fixture
def company(portal):
    """An installation with people of every kind, with messages, and with deeds in its log."""
    town, company = Town(portal), Company(portal)
    town.visitor(LIV)
    company.customers = Customers(portal)

    def refuse(session):
        values = {"state": MessageState.PARKED, "trouble": SAYS, "attempts": 1}
        session.execute(sa.update(Message).values(**values))

    company.store.write(refuse)
    boss = company.at_desk("boss@acme.example", "owner")
    for path in ("/contacts", f"/contacts/{company.customers.ann}", "/contacts.csv", "/outbox"):
        assert boss.get(path).status == 200
    return company


def keys_of(company):
    """What of everything there is an address can name."""
    with company.store.read() as session:
        messages = session.scalars(sa.select(Message.id)).all()
    customers = company.customers
    return {
        "message_id": [*messages],
        "contact_id": [customers.ann, customers.eve],
        "opportunity_id": [customers.mine, customers.others],
        "what_id": [customers.took],
        "user_id": [company.user("boss@acme.example").id],
        "form": ["csv", "xlsx", "jsonl"],
        "key": ["crm", "prices", "price-list"],
    }


def pages(company):
    """Every address of the Studio, for everything there is."""
    app = company.studio
    adapter, keys = app.url_map.bind("localhost"), keys_of(company)
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or rule.endpoint.startswith("security."):
            continue
        chosen = [{}]
        for name in rule.arguments:
            words = getattr(rule._converters[name], "items", None)
            values = [*(words or keys.get(name, ["x"]))]
            chosen = [one | {name: value} for one in chosen for value in values]
        for values in chosen:
            with contextlib.suppress(ValueError, BuildError):  # an address that is none
                yield adapter.build(rule.endpoint, values, method="GET")


def told(desk, path):
    """Everything an answer says, also packed into a table for spreadsheets."""
    response = desk.client.get(
        f"/studio{path}", base_url="http://localhost:8000", headers={"Sec-Fetch-Site": "none"}
    )
    body, status = response.get_data(), response.status_code
    response.close()
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            body = b"\n".join(packed.read(name) for name in packed.namelist())
    elif body.startswith(b"\x1f\x8b"):
        body = gzip.decompress(body)
    return status, body.decode(errors="replace")


@pytest.mark.parametrize("role", WITHOUT)
def test_whoever_sees_no_contacts_finds_no_address_of_one_anywhere(company, role):
    desk = Desk(company.portal)
    company.hire("other@acme.example", role.value)
    desk.sign_in("other@acme.example")
    leaks, opened = [], 0
    for path in pages(company):
        status, body = told(desk, path)
        opened += status == 200
        leaks += [(path, one) for one in (ANN, EVE, LIV, ANN.split("@")[1]) if one in body]
        leaks += [(path, "encoded") for one in (ANN, EVE) if one.replace("@", "%40") in body]

    assert leaks == []
    assert opened >= 10


def test_this_would_find_an_address_where_there_is_one(company):
    desk = company.at_desk("all@acme.example", "privacy")
    found = [path for path in pages(company) if ANN in told(desk, path)[1]]

    assert {"/contacts", "/contacts.csv", "/contacts.xlsx"} <= set(found)
    assert not any(path.startswith("/outbox") for path in found)


def test_a_seller_finds_the_addresses_of_his_own_alone(company):
    desk = company.at_desk(SAM, "seller")
    found = {
        one for path in pages(company) for one in (ANN, EVE, LIV) if one in told(desk, path)[1]
    }

    assert found == {ANN}


def test_what_was_refused_and_why_names_somebody_only_to_whoever_asks_for_it(company):
    message = keys_of(company)["message_id"][0]
    desk = company.at_desk(KIM, "privacy")
    shown = desk.get(f"/outbox/{message}")
    opened = desk.post(f"/outbox/{message}/payload")

    assert "refused &lt;•••&gt;" in shown.text
    assert ANN not in shown.text
    assert ANN in opened.text
    assert company.deeds()[-1] == "read"
