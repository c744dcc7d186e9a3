"""Lists of the Studio: what is asked for stands in the address, and a list with nothing says so."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from regportal.studio.lists import FORMS
from tests.portal import ORIGIN
from tests.studio.staff import PASSWORD, Desk


@pytest.fixture
def ann(company):
    """An owner at her desk."""
    return company.at_desk("ann@acme.example", "owner")


def test_what_is_asked_for_stands_in_the_address_and_is_shown_again(company, ann):
    me = company.user("ann@acme.example").id
    page = ann.get(f"/audit?by=&action=invite&key={me}")

    assert '<option value="invite" selected>' in page.text
    assert f'name="key" value="{me}"' in page.text
    [copy] = re.findall(r'href="/studio(/audit\.csv[^"]*)"', page.text)
    assert html.unescape(copy) == f"/audit.csv?action=invite&key={me}"
    assert 'href="/studio/audit">Show everything' in page.text


def test_a_list_says_whether_nothing_is_there_or_nothing_like_that(ann):
    assert "Nothing here is like that." in ann.get("/audit?action=never").text
    assert "Show everything" not in ann.get("/audit").text
    assert "Nothing is owed to anybody." not in ann.get("/").text


@pytest.mark.parametrize("form", FORMS)
def test_a_list_can_be_had_as_a_file_and_the_log_tells_who_took_it(company, ann, form):
    company.hire("bo@acme.example", "seller")
    with ann.client.get(f"/studio/audit.{form}?action=invite", base_url=ORIGIN) as answer:
        begins = answer.get_data()[:8]

    assert answer.headers["Content-Type"].partition(";")[0] == FORMS[form]
    assert answer.headers["Content-Disposition"] == f"attachment; filename=audit.{form}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert begins == {"csv": b"at,by,ac", "jsonl": b'{"at": "', "xlsx": begins}[form]
    assert form != "xlsx" or begins.startswith(b"PK")
    assert company.deeds()[-1] == "export"


def test_who_signs_in_comes_to_all_that_was_asked_for(company):
    company.hire("ann@acme.example", "owner")
    desk = Desk(company.portal)
    asked = desk.get("/audit?action=invite&key=a+b/c:d").leads_to
    [place] = parse_qs(urlsplit(asked).query)["next"]
    desk.get(asked.removeprefix("/studio"))
    answer = desk.post("/login", {"email": "ann@acme.example", "password": PASSWORD, "next": place})

    assert answer.leads_to == "/studio/audit?action=invite&key=a%20b%2Fc%3Ad"
    assert 'value="a b/c:d"' in desk.get(answer.leads_to.removeprefix("/studio")).text


def test_a_page_below_one_of_the_menu_shows_the_way_back(company, ann):
    page = ann.get("/people/invite").text
    [trail] = re.findall(r'<ol class="trail">(.*?)</ol>', page, re.DOTALL)

    assert re.findall(r'href="([^"]+)">([^<]+)<', trail) == [
        ("/studio/people", "People of the Studio")
    ]
    assert page.count('aria-current="true"') == 2  # beside the page, and in the menu of a phone
    assert "trail" not in ann.get("/people").text
    assert "Your account</a>" in ann.get("/change").text


def test_groups_of_the_menu_that_hold_nothing_for_somebody_are_not_there(company):
    company.at_desk("ann@acme.example", "owner")
    company.hire("bo@acme.example", "seller")
    bo = Desk(company.portal)
    bo.sign_in("bo@acme.example")

    assert "Your company" not in bo.get("/").text
