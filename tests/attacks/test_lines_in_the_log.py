"""
Writing lines of one's own into the log, or reading those of others out of it.

Where a log takes what visitors send as it is, a line break in a name makes a second line that
says whatever the attacker likes, an escape sequence takes over the terminal of whoever reads it,
and a stolen log is a list of customers. Here a line is one JSON object in ASCII, whatever was
sent, and addresses and tokens are not in it.
"""

import json
import logging
import re

import pytest

from regportal.app.logs import Lines

ANN = "ann@widgetworks.example"
HOSTILE = [
    "line\nINFO all is well",
    "\r\n\r\nHTTP/1.1 200 OK",
    "\x1b[2J\x1b]0;owned\x07",
    "\u2028\u2029\x85\x0b\x0c",
    "\u202egnp.exe",
    '"},{"level":"INFO","says":"nothing happened',
    "%s %d %(name)s {0} ${jndi:ldap://x}",
    "\x00\ud800\uffff",
    "x" * 20_000,
]


@pytest.fixture
def lines():
    """What is written while a test runs."""
    written = []
    watch = logging.Handler()
    watch.emit = lambda record: written.append(Lines().format(record))
    root = logging.getLogger()
    level = root.level
    root.addHandler(watch)
    root.setLevel("INFO")
    yield written
    root.removeHandler(watch)
    root.setLevel(level)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_line_is_one_object_in_ascii(text):
    # Not through a logger: what pytest keeps of it cannot be reported where it is no UTF-8.
    says = ("somebody sent %s", (text,))
    line = Lines().format(logging.LogRecord("regportal.test", logging.INFO, "", 0, *says, None))

    assert json.loads(line)["says"] == f"somebody sent {text}"
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize(
    "says",
    [
        ANN,
        f"<{ANN}>",
        f"To: Ann <{ANN}>, bob+tag@acme.example",
        "o'brien@acme.example",
        "ann@xn--bcher-kva.example",
        f"mailto:{ANN}?subject=x",
    ],
)
def test_no_address_is_in_it(lines, says):
    logging.getLogger("regportal.test").warning("could not write to %s", says)

    assert "@***" in lines[0]
    assert not re.search(r"@[a-z]", lines[0])


def test_what_visitors_send_leaves_no_address_and_no_token(portal, lines):
    ann = portal.browser(**{"User-Agent": "x\x1b[2J", "Referer": f"http://x.example/?{ANN}"})
    ann.claim(ANN)
    portal.work()
    link = portal.link()
    ann.get(link)
    ann.post(link, {"choice": "confirm"})
    ann.post(link, {"choice": ANN})
    ann.get(f"/g/{ANN}")
    ann.post("/_r/csp", {})
    portal.app.test_client().post("/hooks/crm", data=ANN.encode())
    portal.work()
    text = "\n".join(lines)

    assert ANN not in text
    assert link.rpartition("/")[2] not in text
    assert all(json.loads(line)["level"] for line in lines)
