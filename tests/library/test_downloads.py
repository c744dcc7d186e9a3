"""The address of the bytes, as a browser, a download manager and a stranger meet it."""

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

from regportal.library import actions, serving
from regportal.library.schema import Asset, Content
from regportal.library.storage import open_storage
from tests.library.library import TEXT, sha256

PERSON = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
PROGRAM = {"Accept": "*/*"}
ETAG = f'"{sha256(TEXT)}"'


def ago(**span):
    return datetime.now(UTC) - timedelta(**span)


@pytest.fixture
def ann(library):
    """Ann's browser; the price list is offered."""
    library.offer()
    browser = library.browser("ann")
    browser.visitor_id = library.visitor("ann")
    return browser


def start(library, link):
    """Let it be noted that the download behind this link was started."""
    token = link.rpartition("/")[2]

    def work(session):
        given = actions.find(session, token)
        actions.start(session, given.id, now=given.issued_at)

    library.store.write(work)


def is_refused(answer):
    return answer.status_code == 403 and answer.mimetype == "application/problem+json"


def test_the_file_arrives_whole_under_its_name(library, ann):
    answer = ann.get(library.give(ann.visitor_id), headers=PERSON)

    assert answer.status_code == 200
    assert answer.data == TEXT
    assert answer.headers["Content-Length"] == str(len(TEXT))
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["ETag"] == ETAG
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"Price list 2026.csv\"; filename*=UTF-8''Price%20list%202026.csv"
    )


def test_a_part_arrives_alone(library, ann):
    answer = ann.get(library.give(ann.visitor_id), headers={"Range": "bytes=100-299"})

    assert answer.status_code == 206
    assert answer.data == TEXT[100:300]
    assert answer.headers["Content-Range"] == f"bytes 100-299/{len(TEXT)}"
    assert answer.headers["Content-Length"] == "200"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Range": "bytes=0-1,3-4"}, 416),
        ({"Range": "bytes=" + ",".join(f"{n}-{n}" for n in range(2000))}, 416),
        ({"Range": f"bytes={len(TEXT)}-"}, 416),
        ({"If-Match": '"other"'}, 412),
        ({"If-None-Match": ETAG}, 304),
    ],
)
def test_no_bytes_come_where_none_can(library, ann, headers, status):
    answer = ann.get(library.give(ann.visitor_id), headers=headers)

    assert answer.status_code == status
    assert answer.data == b""
    assert answer.headers["ETag"] == ETAG
    assert "Content-Disposition" not in answer.headers
    assert answer.headers.get("Content-Range") == (
        f"bytes */{len(TEXT)}" if status == 416 else None
    )
    assert library.servings() == []
    assert library.grants()[0].started_at is None


def test_after_a_change_the_new_file_comes_whole(library, ann):
    link = library.give(ann.visitor_id)
    library.offer(b"new prices")
    answer = ann.get(link, headers={"Range": "bytes=100-", "If-Range": ETAG})

    assert answer.status_code == 200
    assert answer.data == b"new prices"


def test_head_tells_everything_and_starts_nothing(library, ann):
    link = library.give(ann.visitor_id)
    told, sent = ann.head(link), ann.get(link)

    assert told.status_code == 200
    assert told.data == b""
    assert dict(told.headers) == dict(sent.headers)
    assert [serving.length for serving in library.servings()] == [len(TEXT)]


def test_an_empty_file_is_a_file(library, ann):
    library.offer(b"", name="empty.txt")
    answer = ann.get(library.give(ann.visitor_id), headers={"Range": "bytes=0-"})

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "0"


def test_what_was_sent_is_measured_and_nothing_else_is_written(library, ann):
    link = library.give(ann.visitor_id)
    ann.get(link)
    ann.get(link, headers={"Range": "bytes=10-19"})

    measured = [(one.status, one.first_byte, one.length) for one in library.servings()]
    assert measured == [(200, 0, len(TEXT)), (206, 10, 10)]
    assert library.grants()[0].started_at is not None


def test_a_part_from_the_middle_is_no_start(library, ann):
    ann.get(library.give(ann.visitor_id), headers={"Range": "bytes=10-19"})

    assert library.grants()[0].started_at is None


# --- whose link it is, and until when


@pytest.mark.parametrize("cookie", [None, "bob", "nobody we know"])
def test_another_browser_is_led_to_the_gate(library, ann, cookie):
    library.visitor("bob")
    answer = library.browser(cookie).get(library.give(ann.visitor_id), headers=PERSON)

    assert answer.status_code == 303
    assert answer.location == "/g/price-list-gate"
    assert TEXT[:20] not in answer.data


def test_an_old_browser_says_what_it_wants_in_accept(library, ann):
    link = library.give(ann.visitor_id)
    answer = library.browser().get(link, headers={"Accept": "text/html,*/*;q=0.8"})

    assert answer.status_code == 303


def test_inside_a_frame_the_gate_stays_in_it(library, ann):
    headers = PERSON | {"Sec-Fetch-Dest": "iframe"}
    answer = library.browser().get(library.give(ann.visitor_id), headers=headers)

    assert answer.location == "/g/price-list-gate?in=frame"


@pytest.mark.parametrize(
    "headers",
    [
        PROGRAM,
        {},
        {"Sec-Fetch-Mode": "cors", "Accept": "text/html"},
        PERSON | {"Range": "bytes=100-"},
        PERSON | {"Sec-Purpose": "prefetch;prerender"},
    ],
)
def test_no_page_ever_ends_up_in_the_middle_of_a_file(library, ann, headers):
    answer = library.browser().get(library.give(ann.visitor_id), headers=headers)

    assert is_refused(answer)
    assert answer.json["status"] == 403
    assert answer.json["detail"].endswith(".")


def said(answer):
    """Return what an answer says, without the id of its request."""
    return re.sub(rb"urn:uuid:[0-9a-f-]{36}", b"", answer.data)


def test_a_link_nobody_knows_is_answered_like_somebody_elses(library, ann):
    foreign, unknown = library.give(ann.visitor_id), "/d/" + "x" * 43
    browser = library.browser()
    for headers in (PERSON, PROGRAM):
        one, other = (browser.get(link, headers=headers) for link in (foreign, unknown))

        assert one.status_code == other.status_code
        assert said(one) == said(other)
        assert dict(one.headers) == dict(other.headers)


def test_a_link_nobody_knows_is_refused_before_there_is_a_gate(library):
    assert is_refused(library.browser().get("/d/" + "x" * 43, headers=PERSON))


def test_a_guess_of_the_browser_gets_nothing_and_uses_nothing_up(library, ann):
    link = library.give(ann.visitor_id, single=True)
    guess = ann.get(link, headers=PERSON | {"Sec-Purpose": "prefetch"})
    answer = ann.get(link, headers=PERSON)

    assert is_refused(guess)
    assert answer.data == TEXT


def test_a_link_is_good_for_fifteen_minutes(library, ann):
    link = library.give(ann.visitor_id, now=ago(minutes=14, seconds=50))

    assert ann.get(link).data == TEXT
    assert ann.get(link).data == TEXT


def test_after_fifteen_minutes_the_gate_has_a_new_one(library, ann):
    link = library.give(ann.visitor_id, now=ago(minutes=15))

    assert ann.get(link, headers=PERSON).location == "/g/price-list-gate"
    assert is_refused(ann.get(link, headers=PROGRAM))
    assert is_refused(ann.get(link, headers={"Range": "bytes=5-", "If-Range": ETAG}))
    assert is_refused(ann.head(link))


def test_what_was_started_can_be_finished_within_a_day(library, ann):
    link = library.give(ann.visitor_id, now=ago(hours=23))
    start(library, link)
    rest = {"Range": "bytes=500-", "If-Range": ETAG}

    assert ann.get(link, headers=rest).data == TEXT[500:]
    assert ann.head(link).status_code == 200
    assert is_refused(ann.get(link))
    assert is_refused(ann.get(link, headers={"Range": "bytes=500-"}))
    assert is_refused(ann.get(link, headers=rest | {"Range": "bytes=0-"}))
    assert is_refused(ann.get(link, headers=rest | {"If-Range": '"other"'}))
    assert is_refused(library.browser().get(link, headers=rest))


def test_after_a_day_nothing_goes_on(library, ann):
    link = library.give(ann.visitor_id, now=ago(hours=24))
    start(library, link)

    assert is_refused(ann.get(link, headers={"Range": "bytes=500-", "If-Range": ETAG}))


def test_what_was_taken_back_is_over_in_the_middle_too(library, ann):
    link = library.give(ann.visitor_id)
    ann.get(link)
    library.store.write(
        lambda session: actions.revoke(session, asset="price-list", now=datetime.now(UTC))
    )

    assert is_refused(ann.get(link))
    assert is_refused(ann.get(link, headers={"Range": "bytes=500-", "If-Range": ETAG}))


# --- a browser without cookies


def test_a_browser_without_cookies_starts_once_and_can_finish(library, ann):
    link, browser = library.give(ann.visitor_id, single=True), library.browser()

    assert browser.head(link).status_code == 200
    assert browser.get(link, headers=PERSON).data == TEXT
    assert browser.get(link, headers=PERSON).location == "/g/price-list-gate"
    assert is_refused(browser.get(link, headers={"Range": "bytes=0-"}))
    assert is_refused(browser.get(link, headers={"Range": "bytes=1-"}))
    assert is_refused(browser.head(link))
    rest = {"Range": "bytes=500-", "If-Range": ETAG}
    assert browser.get(link, headers=rest).data == TEXT[500:]


def test_a_part_from_the_middle_uses_the_one_try_up(library, ann):
    link, browser = library.give(ann.visitor_id, single=True), library.browser()

    assert browser.get(link, headers={"Range": "bytes=1-"}).data == TEXT[1:]
    assert is_refused(browser.get(link))


def test_a_browser_without_cookies_has_five_minutes(library, ann):
    link = library.give(ann.visitor_id, single=True, now=ago(minutes=5))

    assert is_refused(library.browser().get(link))


def test_of_many_at_once_one_gets_the_only_try(library, ann):
    link, got = library.give(ann.visitor_id, single=True), []

    def fetch():
        answer = library.browser().get(link)
        got.append((answer.status_code, len(answer.data)))

    threads = [threading.Thread(target=fetch) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one for one in got if one[0] == 200] == [(200, len(TEXT))]
    assert {status for status, _ in got} <= {200, 403, 429}


# --- many at once


def test_a_download_manager_fetches_four_parts_at_once_and_no_more(library, ann):
    link = library.give(ann.visitor_id)
    quarter = len(TEXT) // 4
    parts = [
        ann.get(link, headers={"Range": f"bytes={n * quarter}-", "If-Range": ETAG}, buffered=False)
        for n in range(4)
    ]
    fifth = ann.get(link)
    whole = b"".join(part.data[:quarter] for part in parts) + parts[3].data[quarter:]
    for part in parts:
        part.close()

    assert {part.status_code for part in parts} == {206}
    assert fifth.status_code == 429
    assert fifth.mimetype == "application/problem+json"
    assert int(fifth.headers["Retry-After"]) > 0
    assert whole == TEXT
    assert ann.get(link).data == TEXT


def test_a_browser_that_goes_away_frees_its_lane(library, ann):
    link = library.give(ann.visitor_id)
    for _ in range(10):
        ann.get(link, buffered=False).close()

    assert ann.get(link).data == TEXT
    assert not library.app.extensions["regportal.lanes"]._busy


def test_lanes_are_counted_for_each_grant():
    lanes = serving.Lanes(1)

    assert lanes.enter(1)
    assert not lanes.enter(1)
    assert lanes.enter(2)
    lanes.leave(1)
    assert lanes.enter(1)


# --- what is not there


def blob(library, data=TEXT):
    digest = sha256(data)
    return library.storage.folder / digest[:2] / digest[2:4] / digest


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_was_deleted_is_one_sentence(library, ann, method, caplog):
    link = library.give(ann.visitor_id)
    blob(library).unlink()
    answer = ann.open(link, method=method)

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert method == "HEAD" or answer.json["detail"] == "This file is not here any more."
    assert "price-list" in caplog.text
    assert "Traceback" not in caplog.text
    assert link.rpartition("/")[2] not in caplog.text
    assert library.grants()[0].started_at is None


def test_a_file_that_was_cut_short_is_not_sent(library, ann):
    link = library.give(ann.visitor_id)
    blob(library).write_bytes(TEXT[:100])

    assert ann.get(link).status_code == 404
    assert not library.app.extensions["regportal.lanes"]._busy


def test_a_missing_file_does_not_use_the_one_try_up(library, ann):
    link = library.give(ann.visitor_id, single=True)
    blob(library).unlink()
    missing = library.browser().get(link)
    blob(library).write_bytes(TEXT)

    assert missing.status_code == 404
    assert library.browser().get(link).data == TEXT


def test_a_folder_in_its_place_is_no_file(library, ann):
    link = library.give(ann.visitor_id)
    blob(library).unlink()
    blob(library).mkdir()

    assert ann.get(link).status_code == 404


def test_a_storage_out_of_reach_is_for_later(library, ann):
    link = library.give(ann.visitor_id)
    library.app.extensions["regportal.storage"] = open_storage("file:///" + "x" * 300)
    answer = ann.get(link)

    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert not library.app.extensions["regportal.lanes"]._busy


def test_an_asset_without_a_file_has_no_bytes(library, ann):
    link = library.give(ann.visitor_id)
    elsewhere = "https://www.acme.example/prices"
    library.publish(Asset(key="price-list", title="Prices", category="price-list", url=elsewhere))

    assert ann.get(link).status_code == 404
    assert library.browser().get(link, headers=PERSON).status_code == 303


def test_a_new_version_is_what_the_link_gives_from_now_on(library, ann):
    link = library.give(ann.visitor_id)
    old = ann.get(link).data
    library.offer(b"%PDF-1.7 new", name="Prices.pdf")
    answer = ann.get(link)

    assert old == TEXT
    assert answer.data == b"%PDF-1.7 new"
    assert answer.content_type == "application/pdf"


def test_a_name_from_an_old_document_cannot_break_the_header(library, ann):
    content = library.offer()
    evil = Content(
        sha256=content.sha256, name='a"\r\nX-Evil: 1.pdf', size=content.size, type="text/plain"
    )
    library.offer(evil)
    answer = ann.get(library.give(ann.visitor_id))

    assert answer.status_code == 200
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_link_is_only_read(library, ann, method):
    assert ann.open(library.give(ann.visitor_id), method=method).status_code == 405
