"""
Typing scripts and formulas where a marketer, or the owner of an address, will read them.

Mautic's largest class of holes: what a stranger types, or sends as referrer or campaign, runs in
the browser of whoever looks at it. Here it is text on the page that asks "was this you?", text in
what the CRM is told, and a text cell in the spreadsheet. No mail repeats any of it.
"""

import csv
import io
import re

import pytest
from click.testing import CliRunner

from regportal.cli import regportal
from tests.portal import SECRET

TYPED = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}${7*7}<%= 7*7 %>",
    '=HYPERLINK("https://evil.example";"Click")',
    "+1+1",
    "@SUM(1+1)",
    "-2+3",
    "\uff1d1+1",
    "' OR 1=1; DROP TABLE claim; --",
    "../../../etc/passwd",
    "%s%n{0}",
]


@pytest.fixture
def typed(portal, monkeypatch, request):
    """Somebody who answered with it, and came from a page with it in its address."""
    eve = portal.browser(
        **{"User-Agent": f"Mozilla/5.0 {request.param}".encode().decode("latin-1")}
    )
    eve.claim("=cmd|'/c'@widgetworks.example")
    site = (portal.folder / "regportal.yaml").read_text()
    portal.publish(site.replace("questions: [country, company]", "questions: [company]"))
    eve.send("study", q_company=request.param)
    portal.work()
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", portal.settings.database_url.get_secret_value())
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(portal.settings.instance))
    monkeypatch.setenv("CRM_SECRET", SECRET)
    return request.param


def shown(page):
    """Return the text of a page without what is always in it."""
    return re.sub(r"<style.*?</style>", "", page.text, flags=re.DOTALL)


@pytest.mark.parametrize("typed", TYPED, indirect=True)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_is_text_wherever_it_comes_back(portal, typed):
    page = portal.browser().get(portal.link())
    ann = portal.browser()
    ann.prove(portal)
    portal.work()
    listed = CliRunner().invoke(regportal, ["list", "contacts", "--csv"])
    rows = list(csv.reader(io.StringIO(listed.stdout)))
    told = [one["fields"] for one in portal.news("contact.identified")]

    assert "<script" not in shown(page)
    assert "onerror=alert(1)>" not in page.text
    assert "<script" not in ann.get("/g/guide/done").text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert [one["Account.Name"]["value"] for one in told] == [typed]
    assert all(typed not in mail.as_string() for mail in portal.mails())
    assert listed.exit_code == 0
    assert not any(cell.startswith(("=", "+", "-", "@", "\uff1d")) for row in rows for cell in row)
    assert any(typed in cell for row in rows for cell in row)
