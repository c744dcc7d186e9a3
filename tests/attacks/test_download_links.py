"""Nobody gets a byte by guessing, bending, sharing or wearing out a link (T-11 to T-15)."""

import base64
from datetime import UTC, datetime

import pytest

from regportal.library import actions
from tests.library.library import TEXT, make_library

NAVIGATION = {"Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def library(tmp_path, database_url):
    made = make_library(tmp_path / "instance", database_url)
    made.offer()
    yield made
    made.store.close()


@pytest.fixture
def links(library, count):
    """So many visitors, each with a cookie and a link."""
    return [(f"visitor {n}", library.give(library.visitor(f"visitor {n}"))) for n in range(count)]


@pytest.fixture
def count():
    """Twenty; a test that looks at every bit of every link may have fewer."""
    return 20


def gives_nothing(answer):
    return answer.status_code in {303, 308, 403, 404} and TEXT[:12] not in answer.data


@pytest.mark.parametrize("count", [4, pytest.param(20, marks=pytest.mark.soak)])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_bit_of_a_token_may_be_another(library, links):
    served = []
    for cookie, link in links:
        browser, token = library.browser(cookie), link.removeprefix("/d/").encode()
        for bit in range(8 * len(token)):
            bent = bytearray(token)
            bent[bit // 8] ^= 1 << bit % 8
            path = "/d/" + "".join(f"%{byte:02X}" for byte in bent)
            if not gives_nothing(browser.get(path)):
                served.append(path)
        assert browser.get(link).data == TEXT

    assert served == []


def test_a_token_has_one_spelling(library, links):
    cookie, link = links[0]
    token = link.removeprefix("/d/")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    raw = base64.urlsafe_b64decode(token + "=")
    same = [
        spelled
        for last in alphabet
        if base64.urlsafe_b64decode((spelled := token[:-1] + last) + "=") == raw
    ]
    answers = {spelled: library.browser(cookie).get(f"/d/{spelled}") for spelled in same}

    assert len(same) == 4
    assert [spelled for spelled, answer in answers.items() if answer.status_code == 200] == [token]


@pytest.mark.parametrize(
    "bend", ["{}=", "{}==", "{} ", "%20{}", "{}%00", "{}%0A", "{}/", "{}.pdf", "{}/x.css"]
)
def test_nothing_may_stand_around_a_token(library, links, bend):
    cookie, link = links[0]
    answer = library.browser(cookie).get("/d/" + bend.format(link.removeprefix("/d/")))

    assert answer.status_code == 404
    assert TEXT[:12] not in answer.data


def test_everybody_elses_link_is_worth_nothing(library, links):
    for cookie, _ in links[:5]:
        own = [link for holder, link in links if holder == cookie]
        for _, link in links:
            answer = library.browser(cookie).get(link)

            assert (answer.status_code == 200) == (link in own)
            assert answer.status_code == 200 or gives_nothing(answer)


def test_a_token_of_another_purpose_opens_nothing(library, links):
    cookie, link = links[0]
    token = link.removeprefix("/d/")
    with library.store.read() as session:
        grant = actions.find(session, token)
    key = library.settings.keys[0]
    hashed = base64.urlsafe_b64encode(grant.hash).decode().rstrip("=")
    for other in (hashed, str(grant.id), grant.id.hex, grant.hash.hex(), key.decode(), cookie):
        assert gives_nothing(library.browser(cookie).get(f"/d/{other}"))


def test_a_shared_link_leads_its_second_reader_to_the_gate(library, links):
    _, link = links[0]
    for cookie in (None, "visitor 1", "visitor 0x", "", "x" * 4000):
        answer = library.browser(cookie).get(link, headers=NAVIGATION)

        assert answer.status_code == 303
        assert answer.location == "/g/price-list-gate"


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=" + ",".join(["0-"] * 2000)},
        {"Range": "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(2000))},
        {"Range": "bytes=" + "0" * 60_000 + "-"},
        {"Range": "bytes=" + "," * 60_000},
        {"Range": "bytes=" + "-" * 60_000},
        {"Range": "x" * 60_000},
        {"Range": "bytes=\x80\xff-"},
        {"If-Range": '"' + "x" * 60_000, "Range": "bytes=1-"},
        {"If-None-Match": '"x",' * 15_000},
        {"If-None-Match": '"' * 60_000},
        {"If-Match": "W/" * 30_000},
    ],
)
def test_no_header_is_too_much(library, links, headers):
    cookie, link = links[0]
    answer = library.browser(cookie).get(link, headers=headers)

    assert answer.status_code in {200, 412, 416}


def test_looking_at_a_link_counts_for_nothing(library, links):
    cookie, link = links[0]
    browser, scanner = library.browser(cookie), library.browser()
    for _ in range(50):
        scanner.get(link)
        scanner.head(link)
        browser.head(link)
        browser.get(link, headers={"Sec-Purpose": "prefetch"})

    assert library.servings() == []
    assert all(grant.started_at is None for grant in library.grants())


def test_what_was_taken_back_stays_so(library, links):
    cookie, link = links[0]
    library.store.write(
        lambda session: actions.revoke(session, asset="price-list", now=datetime.now(UTC))
    )

    assert gives_nothing(library.browser(cookie).get(link))
    assert gives_nothing(library.browser(cookie).head(link))
