"""Visits to a gate, prepared so that the load only has to send them."""

import re
import uuid
from collections.abc import Iterable
from html import unescape
from urllib.parse import urlencode

from regportal.cli.bench.measure import Answer, request, send
from regportal.errors import RegportalError

FORM = re.compile(r'<form[^>]*data-rp="gate".*?</form>', re.DOTALL)
FIELD = re.compile(r"<input[^>]*>")
ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"')
COOKIE = re.compile(r"^set-cookie: ([^;\r\n]+)", re.IGNORECASE | re.MULTILINE)
LINK = re.compile(r'href="([^"]*/d/[^"]+)"')


class WrongAnswerError(RegportalError):
    """A contestant did not do what is measured: its figures would mean nothing."""


def shown(port: int, gate: str, count: int) -> list[bytes]:
    """Return requests for so many first visits to a gate."""
    return [request("GET", f"/g/{gate}", port)] * count


def sent(port: int, gate: str, pages: Iterable[Answer]) -> list[bytes]:
    """Return the requests that send the forms of these pages, each with an address of its own."""
    return [_sent(port, gate, page) for page in pages]


def opened(port: int, gate: str, count: int) -> list[bytes]:
    """Open a gate for so many visitors and return the requests for their links."""
    pages = send(port, shown(port, gate, count), keep=True)[1]
    answers = send(port, sent(port, gate, pages), keep=True)[1]
    cookies = [
        cookies_of(answer) or cookies_of(page) for page, answer in zip(pages, answers, strict=True)
    ]
    done = send(port, [_with(port, f"/g/{gate}/done", one) for one in cookies], keep=True)[1]
    return [_with(port, _link(page), one) for page, one in zip(done, cookies, strict=True)]


def _with(port: int, path: str, cookies: str) -> bytes:
    """Return a request as the browser with these cookies sends it."""
    return request("GET", path, port, headers={"Cookie": cookies})


def _link(page: Answer) -> str:
    """Return the path of the link to the bytes."""
    found = LINK.search(page.text)
    if found is None:
        raise WrongAnswerError(f"the gate gave no link (status {page.status})")
    return re.sub(r"^https?://[^/]+", "", unescape(found[1]))


def cookies_of(answer: Answer) -> str:
    """Return the cookies an answer sets, as a browser sends them back."""
    return "; ".join(COOKIE.findall(answer.text.partition("\r\n\r\n")[0]))


def _sent(port: int, gate: str, page: Answer) -> bytes:
    """Return the request that sends the form of this page."""
    form = FORM.search(page.text)
    if form is None:
        raise WrongAnswerError(f"the gate {gate} showed no form (status {page.status})")
    fields = {"email": f"{uuid.uuid4().hex}@widgets.example", "remember": "yes"}
    for field in FIELD.findall(form[0]):
        given = {name: unescape(value) for name, value in ATTRIBUTE.findall(field)}
        if given.get("type") in {"hidden", "checkbox"} and "name" in given:
            fields[given["name"]] = given.get("value", "")
    headers = {"Origin": f"http://127.0.0.1:{port}", "Cookie": cookies_of(page)}
    body = urlencode(fields).encode()
    return request("POST", f"/g/{gate}", port, body=body, headers=headers)
