"""The page of a sandbox, and the calls by which tests tell it what to do."""

import re

import pytest
import requests


@pytest.fixture
def page(small):
    """Call the page's side of the sandbox."""

    def call(method, path, **more):
        return requests.request(
            method, f"{small.url}{path}", allow_redirects=False, timeout=10, **more
        )

    return call


def test_the_address_alone_leads_to_the_page(page):
    answer = page("GET", "/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sandbox/")


def test_the_page_shows_records_deeds_and_calls_as_text(small, page):
    small.fake.write("<script>alert(1)</script>")
    requests.get(f"{small.url}/notes?<b>", timeout=10)
    text = page("GET", "/sandbox/").text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert re.search(r'<input id="write-text"\s+name="text"', text)
    assert "GET /notes?" in text


def test_people_do_their_deeds_by_form_and_by_json(small, page):
    assert page("POST", "/sandbox/do/write", json={"text": "one"}).json() == {"result": 1}
    answer = page("POST", "/sandbox/do/write", data={"text": "two"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sandbox/")
    assert page("GET", "/sandbox/records").json() == {
        "notes": [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}]
    }


@pytest.mark.parametrize(
    ("path", "told", "status", "says"),
    [
        ("do/fly", {}, 404, "nobody here can fly; there is "),
        ("do/burn", {"id": "9"}, 422, "there is no note 9"),
        ("do/burn", {}, 422, "burn: missing a required argument: 'id'"),
        ("do/burn", {"id": "1", "at": "once"}, 422, "unexpected"),
        ("faults", {"fail": 2}, 422, "between 0 and 1"),
        ("faults", {"fail": "often"}, 422, "numbers"),
        ("faults", {"fail": 1, "faults": ["plague"]}, 422, "no fault 'plague'"),
        ("faults", {"next": [7]}, 422, "list of names"),
        ("faults", [], 400, "object"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(page, path, told, status, says):
    answer = page("POST", f"/sandbox/{path}", json=told)
    assert answer.status_code == status
    assert says in answer.json()["says"]


def test_whoever_filled_in_a_form_reads_the_sentence_on_the_page(page):
    answer = page("POST", "/sandbox/do/burn", data={"id": "<9>"})
    assert answer.status_code == 422
    assert re.search(r'role="alert">.*&lt;9&gt;.*</p>', answer.text)


def test_faults_are_chosen_by_form_and_by_json(small, page):
    chosen = page("POST", "/sandbox/faults", json={"fail": 0.3, "seed": 7, "next": ["502"]})
    assert {name: chosen.json()[name] for name in ("fail", "faults", "seed", "next")} == {
        "fail": 0.3,
        "faults": [],
        "seed": 7,
        "next": ["502"],
    }
    assert requests.get(f"{small.url}/notes", timeout=10).status_code == 502
    page("POST", "/sandbox/faults", data={"fail": "1", "faults": ["404", "409"], "seed": ""})
    assert small.luck.odds.faults == ("404", "409")
    assert requests.get(f"{small.url}/notes", timeout=10).status_code in {404, 409}
    assert page("GET", "/sandbox/calls").json()[0]["fault"] == "502"


def test_no_fault_befalls_the_page_itself(small, page):
    page("POST", "/sandbox/faults", json={"fail": 1, "faults": ["500"]})
    assert page("GET", "/sandbox/").status_code == 200
    assert len(page("GET", "/sandbox/faults").json()["menu"]) > 14


def test_another_sites_page_may_do_nothing(small, page):
    evil = {"Origin": "https://evil.example"}
    assert page("POST", "/sandbox/do/write", data={"text": "x"}, headers=evil).status_code == 403
    rebound = {"Host": "evil.example"}
    assert page("GET", "/sandbox/records", headers=rebound).status_code == 400
    assert not small.fake.notes
