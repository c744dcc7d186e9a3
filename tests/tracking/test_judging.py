"""Whether a person did it: by the name a browser gives itself, and by what was asked for ahead."""

import crawleruseragents
import pytest
import yaml

from regportal.tracking.judging import by_request, crawler_of
from regportal.tracking.models import Judged
from tests.portal import FIREFOX

EVERYDAY = (
    FIREFOX,
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Linux; Android 13; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Mobile Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/111.0.0.0 Mobile Safari/537.36 (Ecosia android@111.0.5563.116)"
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Version/4.0 Chrome/124.0.6367.123 Mobile Safari/537.36 CamScanner/4.8.5"
    ),
    "Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/3.0.11",
)


@pytest.mark.parametrize("agent", EVERYDAY)
def test_everyday_browsers_are_peoples(agent):
    assert by_request(agent).judged is Judged.PERSON


@pytest.mark.parametrize(
    "agent",
    [
        *("", " ", "curl/8.5.0", "Go-http-client/2.0", "okhttp/4.12", "Java/17.0.1"),
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0 Safari/537.36",
        "Mozilla/5.0 (compatible; brand-new-thing/1.0; +https://new.example/why)",
        "Mozilla/5.0 (compatible; thing; ops@new.example)",
        "something nobody has heard of",
    ],
)
def test_programs_are_machines_also_those_no_list_knows(agent):
    assert by_request(agent).judged is Judged.MACHINE


@pytest.mark.parametrize("purpose", ["prefetch", "Prefetch;prerender", "preview"])
def test_what_nobody_asked_for_yet_is_a_machines(purpose):
    assert by_request(FIREFOX, purpose).judged is Judged.MACHINE


def test_asking_whether_it_is_there_is_a_machines():
    assert by_request(FIREFOX, method="HEAD").judged is Judged.MACHINE


def test_every_crawler_of_the_public_list_is_one():
    known = crawleruseragents.CRAWLER_USER_AGENTS_DATA
    names = [name for one in known for name in one.get("instances", ())]

    assert len(names) > 2000
    assert [name for name in names if crawler_of(name) is None] == []


def test_another_projects_lists_are_told_apart(shared_data):
    """Its browsers include players, mail programs and an attack; its crawlers, real browsers."""
    crawlers, browsers = (
        [str(name) for names in yaml.safe_load(file.read_text()).values() for name in names]
        for file in (shared_data / "isbot_crawlers.yml", shared_data / "isbot_browsers.yml")
    )
    seen = sum(crawler_of(name) is not None for name in crawlers)
    mistaken = sum(crawler_of(name) is not None for name in browsers)

    assert seen >= 0.88 * len(crawlers)
    assert mistaken <= 0.07 * len(browsers)
