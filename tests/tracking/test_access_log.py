r"""
Counting the downloads of a web server's log.

The figures of the real log (5,000 lines) were counted by hand from what awk prints, which
knows nothing of our code::

    awk '{p=$7; sub(/\?.*/,"",p); if (tolower(p) ~ /\.(pdf|doc|docx)$/) print $1,$4,$6,$9,$10,p}'

It prints 30 lines, all GET: 5 with 304; 25 with 200 or 206. Those 25 are of 8 visitors, each of
one file: 66.249.81.20 took it twice within a minute, 89.2.87.1 took one 200 and 16 pieces (206)
within a minute. 1 + 1 + 16 of them go on with a download, which leaves 8 downloads.
`awk 'END {print NR - 30}'` gives the 4,970 lines of other files.
"""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from regportal.tracking.access_log import (
    SAME,
    Downloads,
    NotALineError,
    read_line,
    wanted_files,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"


def line(path="/a.pdf", at=NOON, status=200, sent=100, method="GET", address="192.0.2.7"):
    moment = at.strftime("%d/Mar/%Y:%H:%M:%S +0000")
    asked = f"{method} {path} HTTP/1.1"
    return f'{address} - - [{moment}] "{asked}" {status} {sent} "-" "{FIREFOX}"'


def counted(*lines, files=()):
    """The downloads of some lines, oldest first, and why the other lines are none."""
    downloads = Downloads(wanted_files(files))
    sittings = [one for text in lines for one in downloads.add(read_line(text))]
    sittings += downloads.rest()
    events = [event for one in sittings for event in one.events("pepper")]
    return sorted(events, key=lambda event: event.occurred_at), dict(downloads.not_counted)


def later(**more):
    return NOON + timedelta(**more)


# --- lines ---


def test_a_visitor_by_ipv6_is_one_however_the_address_is_spelled():
    short, long = (read_line(line(address=one)) for one in ("2001:db8::7", "2001:0DB8:0::0007"))

    assert short.address == long.address == "2001:db8::7"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"Fox \"the\" \\ browser", 'Fox "the" \\ browser'),
        (r"Fox \x22the\x22", 'Fox "the"'),
        (r"Fox\x1b[31m\x00", "Fox[31m"),
        ("", ""),
        ("F" * 5000, "F" * 300),
    ],
)
def test_escapes_of_an_agent_are_read_as_both_servers_write_them(written, read):
    assert read_line(line().replace(FIREFOX, written)).agent == read


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/a%20b.pdf?for=ann@acme.example", "/a b.pdf"),
        ("/M%C3%BCller.pdf", "/Müller.pdf"),
        ("/M%FCller.pdf", "/M%FCller.pdf"),
        ("/a%00.pdf", "/a%00.pdf"),
        ("/a%1b[2J.pdf", "/a%1b[2J.pdf"),
        ("http://elsewhere.example/a.pdf", ""),
    ],
)
def test_a_path_is_read_without_its_query(asked, path):
    assert read_line(line(asked)).path == path


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("", "not a line of the combined format"),
        ("GET /a.pdf", "not a line of the combined format"),
        (line().rpartition(' "-"')[0], "not a line of the combined format"),
        (line() + ' "more"', "not a line of the combined format"),
        (line()[:-1], "not a line of the combined format"),
        (line().replace(FIREFOX, 'a"b'), "not a line of the combined format"),
        (line(status="2xx"), "the status is no number from 100 to 599"),
        (line(status=999), "the status is no number from 100 to 599"),
        (line(sent="1e3"), "the bytes are no number"),
        (line(sent="9" * 40), "the bytes are no number"),
        (line(address="www.acme.example:80"), "the address is none"),
        (line().replace("GET /a.pdf HTTP/1.1", "-"), "the request is not METHOD PATH HTTP/VERSION"),
        (line().replace("04/Mar", "31/Feb"), "the moment is none, as 17/May/2015:10:05:03 +0000"),
        (line().replace("Mar", "Mär"), "the moment is none, as 17/May/2015:10:05:03 +0000"),
        (line().replace("+0000", "+9900"), "the moment is none, as 17/May/2015:10:05:03 +0000"),
        (line().replace("2026", "1969"), "the moment is before 1970"),
    ],
)
def test_a_line_that_is_none_says_why(broken, reason):
    with pytest.raises(NotALineError) as refused:
        read_line(broken)

    assert str(refused.value) == reason


@pytest.mark.parametrize("evil", ['"' * 60_000, "\\" * 60_000, "[" * 60_000, "a " * 30_000])
def test_no_line_takes_long_to_refuse(evil):
    begun = datetime.now(UTC)
    with pytest.raises(NotALineError):
        read_line(line().replace(FIREFOX, evil) + evil)

    assert datetime.now(UTC) - begun < timedelta(seconds=1)


# --- downloads ---


def test_pieces_and_the_whole_within_half_an_hour_are_one_download():
    (event,), others = counted(
        line(status=206, sent=10),
        line(status=206, sent=20, at=later(minutes=5)),
        line(status=200, sent=100, at=later(minutes=29)),
    )

    assert (event.type, event.object, event.occurred_at) == ("download", "/a.pdf", NOON)
    assert event.properties == {"bytes": 130}
    assert others == {SAME: 2}


def test_after_half_an_hour_it_is_another():
    events, _ = counted(line(), line(at=later(minutes=30)))

    assert [event.occurred_at for event in events] == [NOON, later(minutes=30)]


def test_a_slow_line_is_one_download_however_long_its_pieces_take():
    """Two hours of pieces; and half an hour after the last one he comes again."""
    pieces = [line(status=206, sent=10, at=later(minutes=20 * number)) for number in range(7)]
    (long, again), others = counted(*pieces, line(status=206, at=later(minutes=150)))

    assert (long.occurred_at, long.properties) == (NOON, {"bytes": 70})
    assert again.occurred_at == later(minutes=150)
    assert others == {SAME: 6}


def test_who_takes_the_whole_file_again_and_again_takes_it_once_each_half_hour():
    """However often in between: it does not put off the next."""
    events, _ = counted(*(line(at=later(minutes=10 * number)) for number in range(7)))

    assert [event.occurred_at for event in events] == [NOON, later(minutes=30), later(minutes=60)]


def test_a_piece_goes_on_with_the_newest_download():
    (first, second), _ = counted(
        line(sent=1),
        line(status=206, sent=2, at=later(minutes=25)),
        line(sent=10, at=later(minutes=31)),
        line(status=206, sent=20, at=later(minutes=40)),
    )

    assert (first.properties["bytes"], second.properties["bytes"]) == (3, 30)


def test_no_download_goes_on_for_longer_than_a_day():
    """A reader that never closes a file, or an office behind one address."""
    pieces = [line(status=206, at=NOON + timedelta(minutes=29 * number)) for number in range(120)]
    events, _ = counted(*pieces)

    assert [event.occurred_at - NOON for event in events] == [
        timedelta(minutes=29 * number) for number in (0, 50, 100)
    ]


def test_each_visitor_and_each_file_counts_for_itself():
    events, _ = counted(
        line(), line("/b.pdf"), line(address="192.0.2.8"), line().replace("Firefox", "Other")
    )

    assert len({event.id for event in events}) == 4


def test_lines_that_were_written_late_belong_to_their_download():
    (event,), _ = counted(line(status=206, at=later(minutes=3)), line(status=206))

    assert event.occurred_at == NOON


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (line(method="HEAD"), "HEAD, not GET"),
        (line(method="POST"), "POST, not GET"),
        (line(method="BREW"), "another method, not GET"),
        (line(status=304, sent="-"), "answered with 304"),
        (line(status=416), "answered with 416"),
        (line(status=404), "answered with 404"),
        (line("/logo.png"), "not one of the files"),
        (line(status=400).replace("GET /a.pdf HTTP/1.1", r"\x16\x03\x01"), "no request that could"),
    ],
)
def test_what_is_no_download_is_not_counted_and_no_fault(one, reason):
    events, others = counted(one)
    ((said, number),) = others.items()

    assert (events, number) == ([], 1)
    assert said.startswith(reason)


def test_only_the_files_that_were_named_are_counted():
    events, others = counted(
        line("/media/a.pdf"), line("/b.pdf"), line("/film.mp4"), files=["/media/*.pdf", "*.mp4"]
    )

    assert sorted(event.object for event in events) == ["/film.mp4", "/media/a.pdf"]
    assert others == {"not one of the files": 1}


def test_nothing_says_who_it_was_and_the_ids_need_the_pepper():
    sitting, *_ = _sittings(line())
    (event,) = sitting.events("pepper")

    assert set(event.properties) == {"bytes"}
    assert event.contact is None
    assert event.id == sitting.events("pepper")[0].id != sitting.events("salt")[0].id
    assert uuid.UUID(event.id).version == 7


def test_only_the_visitors_of_the_last_hour_are_held():
    downloads = Downloads(wanted_files([]))
    ended = []
    for hour in range(0, 24, 2):
        ended += downloads.add(read_line(line(at=NOON.replace(hour=hour))))

    assert len(ended) == 11
    assert len([*downloads.rest()]) == 1


def test_the_real_log_has_as_many_downloads_as_were_counted_by_hand(shared_data):
    lines = (shared_data / "apache_access_dev.log").read_text().splitlines()
    events, others = counted(*lines)

    assert len(events) == 8
    assert others == {"answered with 304": 5, SAME: 17, "not one of the files": 4970}
    assert len(lines) == 8 + 5 + 17 + 4970


def _sittings(*lines):
    downloads = Downloads(wanted_files([]))
    return [*[one for text in lines for one in downloads.add(read_line(text))], *downloads.rest()]
