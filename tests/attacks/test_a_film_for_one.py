"""A film that is played stays with the browser it was granted to, as long as it may be watched."""

from datetime import UTC, datetime, timedelta

import pytest

from regportal.library import actions
from regportal.library.rules import FINISH, START, START_FILM
from tests.library.library import make_library, sha256

FILM = b"\0\0\0\x20ftypisom" + bytes(range(256)) * 400
ASSET = "tour"
MIDDLE = {"Range": "bytes=50000-", "Sec-Fetch-Dest": "video", "Sec-Fetch-Mode": "no-cors"}
BEGIN = MIDDLE | {"Range": "bytes=0-"}


@pytest.fixture
def library(tmp_path, database_url):
    made = make_library(tmp_path / "instance", database_url)
    made.offer(FILM, key=ASSET, name="tour.mp4")
    yield made
    made.store.close()


def give(library, visitor_id, *, ago=timedelta(), **how):
    """Grant the film so long ago; return its link."""

    def work(session):
        given = actions.grant(
            session,
            gate=f"{ASSET}-gate",
            asset=ASSET,
            visitor_id=visitor_id,
            claim_id=None,
            keys=library.settings.keys,
            now=datetime.now(UTC) - ago,
            **{"single": False, "plays": True, **how},
        )
        return actions.token_of(given, library.settings.keys)

    return f"/d/{library.store.write(work)}"


def is_refused(answer):
    return answer.status_code == 403 and FILM[:100] not in answer.data


def test_it_is_played_and_wound_back_as_long_as_somebody_may_watch(library):
    ann = library.browser("ann")
    link = give(library, library.visitor("ann"), ago=START_FILM - timedelta(minutes=1))
    for _ in range(3):
        begins, goes_on = ann.get(link, headers=BEGIN), ann.get(link, headers=MIDDLE)

        assert (begins.status_code, begins.data) == (206, FILM)
        assert (goes_on.status_code, goes_on.data) == (206, FILM[50000:])


def test_then_it_is_over_for_its_own_browser_too(library):
    ann, ago = library.browser("ann"), START_FILM + timedelta(seconds=1)
    link = give(library, library.visitor("ann"), ago=ago)

    assert is_refused(ann.get(link, headers=BEGIN))
    assert is_refused(ann.get(link, headers=MIDDLE))
    assert is_refused(ann.head(link))


def test_what_was_begun_can_be_finished_as_any_file_and_no_longer(library):
    ann, whose = library.browser("ann"), library.visitor("ann")
    etag = f'"{sha256(FILM)}"'
    for ago, status in ((START_FILM, 206), (FINISH, 403)):
        link = give(library, whose, ago=ago)
        with library.store.read() as session:
            given = actions.find(session, link.removeprefix("/d/"))
        library.store.write(lambda s, one=given: actions.start(s, one.id, now=one.issued_at))

        assert ann.get(link, headers=MIDDLE | {"If-Range": etag}).status_code == status
        assert is_refused(ann.get(link, headers=MIDDLE))


@pytest.mark.parametrize("cookie", [None, "bob", "nobody we know"])
def test_another_browser_plays_nothing_of_it(library, cookie):
    library.visitor("bob")
    link = give(library, library.visitor("ann"))
    library.browser("ann").get(link, headers=BEGIN)
    stranger = library.browser(cookie)

    assert is_refused(stranger.get(link, headers=BEGIN))
    assert is_refused(stranger.get(link, headers=MIDDLE))
    assert is_refused(stranger.head(link))


@pytest.mark.parametrize("at", [0, 20, 42])
def test_a_bent_link_plays_nothing(library, at):
    link = give(library, library.visitor("ann"))
    token = link.removeprefix("/d/")
    other = "A" if token[at] != "A" else "B"
    bent = f"/d/{token[:at]}{other}{token[at + 1 :]}"

    assert is_refused(library.browser("ann").get(bent, headers=BEGIN))


def test_a_film_that_was_taken_back_stops(library):
    ann, link = library.browser("ann"), give(library, library.visitor("ann"))
    ann.get(link, headers=BEGIN)
    library.store.write(lambda one: actions.revoke(one, asset=ASSET, now=datetime.now(UTC)))

    assert is_refused(ann.get(link, headers=BEGIN))
    assert is_refused(ann.get(link, headers=MIDDLE))


def test_without_cookies_it_is_a_file_taken_once(library):
    """A link that no cookie binds would play for everybody it is passed on to."""
    link, browser = give(library, library.visitor("ann"), single=True), library.browser()
    late = give(library, library.visitor("bob"), single=True, ago=timedelta(minutes=5))

    assert browser.get(link, headers=BEGIN).data == FILM
    assert is_refused(browser.get(link, headers=BEGIN))
    assert is_refused(browser.get(link, headers=MIDDLE))
    assert is_refused(browser.get(late, headers=BEGIN))


def test_any_other_file_keeps_its_fifteen_minutes(library):
    ann, whose = library.browser("ann"), library.visitor("ann")
    link = give(library, whose, ago=START, plays=False)

    assert is_refused(ann.get(link, headers=BEGIN))


def test_many_parts_at_once_are_no_way_around(library):
    """Of one grant four are on their way at once, however it is asked; one range only each."""
    ann, link = library.browser("ann"), give(library, library.visitor("ann"))
    under_way = [ann.get(link, headers=MIDDLE, buffered=False) for _ in range(4)]
    fifth = ann.get(link, headers=MIDDLE)
    for one in under_way:
        one.close()
    many = ann.get(link, headers=BEGIN | {"Range": "bytes=" + ",".join(["0-9"] * 2000)})
    beyond = ann.get(link, headers=BEGIN | {"Range": f"bytes={len(FILM)}-"})

    assert fifth.status_code == 429
    assert (many.status_code, many.data) == (416, b"")
    assert (beyond.status_code, beyond.data) == (416, b"")
    assert ann.get(link, headers=MIDDLE).data == FILM[50000:]
