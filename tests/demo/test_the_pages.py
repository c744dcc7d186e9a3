from email.message import EmailMessage

import pytest

from regportal.cli.demo.mailbox import mails
from regportal.cli.demo.papers import FILES, draw

PAGES = ["/", "/customers", "/prices", "/privacy", "/story", "/mailbox", "/crm"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there_and_strict(pages, path):
    answer = pages.test_client().get(path)

    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/tomorrow", "/crm/deals", "/crm/in"])
def test_another_sites_page_can_press_nothing(pages, days, path):
    answer = pages.test_client().post(path, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert days == []


def test_another_host_name_is_not_answered(pages):
    assert pages.test_client().get("/", headers={"Host": "evil.example"}).status_code == 400


def test_tomorrow_comes_and_leads_back_to_the_page_it_was_pressed_on(pages, days):
    client = pages.test_client()
    back = client.post("/tomorrow", headers={"Referer": "http://localhost/prices"})
    elsewhere = client.post("/tomorrow", headers={"Referer": "http://localhost//evil.example"})

    assert (back.status_code, back.location) == (303, "/prices")
    assert elsewhere.location == "/story"
    assert len(days) == 2
    assert "Day 3" in client.get("/story").text


def test_an_unsigned_message_is_401(pages):
    assert pages.test_client().post("/crm/in", data=b"{}").status_code == 401


def test_an_opportunity_needs_somebody_the_crm_knows(pages):
    answer = pages.test_client().post("/crm/deals", data={"email": "nobody@example.org"})

    assert answer.status_code == 400


def test_the_mailbox_shows_the_newest_first_and_links_what_is_a_link(pages, tmp_path):
    folder = tmp_path / "mail"
    folder.mkdir()
    for number in (1, 2):
        mail = EmailMessage()
        mail["To"], mail["Subject"] = "ann@example.org", f"<b>Mail {number}</b>"
        mail["Date"] = "Sat, 21 Nov 2026 12:00:00 +0000"
        mail.set_content(f"Open\n\nhttp://localhost:9/m/{number}\n\n<script>")
        (folder / f"2026112{number}T120000Z-x.eml").write_bytes(mail.as_bytes())

    shown = pages.test_client().get("/mailbox").text

    assert [mail.subject for mail in mails(folder)] == ["<b>Mail 2</b>", "<b>Mail 1</b>"]
    assert 'href="http://localhost:9/m/2"' in shown
    assert "<script>" not in shown.replace('<script type="module"', "")
    assert "<b>Mail" not in shown


def test_the_papers_are_the_same_bytes_at_every_start(tmp_path):
    draw(tmp_path / "one")
    draw(tmp_path / "other")

    for name in FILES.values():
        first = (tmp_path / "one" / name).read_bytes()
        assert first.startswith(b"%PDF-")
        assert first == (tmp_path / "other" / name).read_bytes()
