"""What a gate tells everybody of what it gives: people before and after, and search engines."""

import json
import re
from html.parser import HTMLParser

import pytest

from regportal.documents.reading import read
from regportal.errors import DocumentError
from regportal.forms.schema import Gate

FIRST, SECOND = "What a widget is, & what it “costs”.", "Twelve tables, one a country."
SITE = """
site:
  name: {{en: Acme, de: Acme Werke}}
  controller: Acme
  privacy_notice: https://a.example
  locale: en
assets:
  - {{key: guide, title: {{en: A guide, de: Ein Leitfaden}}, category: paper, file: {file}}}
gates:
  - key: guide
    asset: guide
    headline: {{en: The guide, de: Der Leitfaden}}
    abstract:
      en: |
        {first}

        Twelve tables,
        one a country.
      de: Was ein Widget ist.
    {more}
"""
GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


class Reader(HTMLParser):
    """What a page says as data, and the classes in it."""

    def __init__(self, text):
        super().__init__()
        self.data, self.classes, self._in = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.classes += (told.get("class") or "").split()
        self._in = tag == "script" and told.get("type") == "application/ld+json"

    def handle_data(self, data):
        if self._in:
            self.data.append(json.loads(data))

    def handle_endtag(self, _tag):
        self._in = False


def published(portal, file="guide.txt", more=""):
    """Publish a gate with an abstract in two languages."""
    portal.publish(SITE.format(file=file, first=FIRST, more=more))
    return portal


def abstract(page):
    """Return the paragraphs of the abstract that a page shows."""
    [shown] = re.findall(r'data-rp="abstract">(.*?)</div>', page.text, re.DOTALL)
    texts = re.findall(r"<p[^>]*><bdi>(.*?)</bdi></p>", shown)
    return [text.replace("&amp;", "&") for text in texts]


def test_everybody_reads_the_same_abstract_before_and_after(portal):
    ann, crawler = published(portal).browser(), portal.browser(**{"User-Agent": GOOGLE})
    before, found = ann.get("/g/guide"), crawler.get("/g/guide")
    ann.claim("ann@widgetworks.example")
    refused = portal.browser().send("guide", email="nobody")
    portal.work()
    ann.prove(portal)
    pages = [before, found, refused, ann.get("/g/guide/done"), ann.get("/g/guide")]

    assert [page.status for page in pages] == [200, 200, 422, 200, 200]
    assert [abstract(page) for page in pages] == [[FIRST, SECOND]] * 5


def test_where_the_file_goes_by_mail_it_is_read_before_the_mail_is(portal):
    ann = published(portal, more="delivery: mail").browser()

    ann.claim("ann@widgetworks.example")

    assert abstract(ann.get("/g/guide/done")) == [FIRST, SECOND]


def test_at_a_kiosk_it_is_read_before_and_after(portal):
    ann = published(portal, more="kiosk: true").browser()

    assert abstract(ann.get("/g/guide")) == [FIRST, SECOND]
    assert abstract(ann.claim("ann@widgetworks.example")) == [FIRST, SECOND]


@pytest.mark.parametrize("query", ["?lang=de", "?lang=de&in=frame"])
def test_it_is_read_in_the_language_of_the_page(portal, query):
    page = published(portal).browser().get(f"/g/guide{query}")

    assert abstract(page) == ["Was ein Widget ist."]


def test_programs_are_told_it_with_what_the_gate_says_to_everybody(portal):
    browser = published(portal).browser()
    told = json.loads(browser.get("/api/v1/gates/guide/shell?lang=de").text)

    assert told["abstract"] == ["Was ein Widget ist."]
    assert json.loads(browser.get("/api/v1/gates/guide/shell").text)["abstract"] == [FIRST, SECOND]


def test_a_server_puts_it_in_with_the_same_for_search_engines(portal):
    page = published(portal).browser().get("/g/guide/include?lang=de")
    [told] = Reader(page.text).data

    assert "<p>Was ein Widget ist.</p>" in page.text
    assert told == {
        "@context": "https://schema.org",
        "@type": "Report",
        "name": "Ein Leitfaden",
        "headline": "Der Leitfaden",
        "description": "Was ein Widget ist.",
        "inLanguage": "de",
        "encodingFormat": "text/plain",
        "publisher": {"@type": "Organization", "name": "Acme Werke"},
        "isAccessibleForFree": False,
        "hasPart": {
            "@type": "WebPageElement",
            "isAccessibleForFree": False,
            "cssSelector": ".regportal-guide",
        },
    }


def test_what_is_not_free_is_in_the_page_under_the_class_that_is_named(portal):
    page = published(portal).browser().get("/g/guide/include")
    found = Reader(page.text)
    [told] = found.data

    assert told["description"] == f"{FIRST}\n\n{SECOND}"
    assert found.classes == [told["hasPart"]["cssSelector"].removeprefix(".")]


def test_our_own_pages_stay_out_of_the_index(portal):
    page = published(portal).browser().get("/g/guide")

    assert '<meta name="robots" content="noindex">' in page.text
    assert "ld+json" not in page.text


@pytest.mark.parametrize(
    "text", ["x" * 3001, '" \\n "', "{en: ''}", "{en: " + "x" * 3001 + "}", "{}", "[a]"]
)
def test_an_abstract_that_is_too_long_or_empty_is_refused_in_one_sentence(tmp_path, text):
    book = tmp_path / "regportal.yaml"
    gate = f"gates: [{{key: guide, asset: guide, headline: The guide, abstract: {text}}}]"
    asset = "assets: [{key: guide, title: G, category: paper, url: 'https://a.example'}]\n"
    book.write_text(asset + gate)
    with pytest.raises(DocumentError) as told:
        read(book).refuse_faults()

    [says] = str(told.value).splitlines()
    assert "gates[0].abstract" in says


def test_an_abstract_of_3000_signs_in_each_language_is_taken():
    long = {"en": "x" * 3000, "de": "y" * 3000}
    gate = Gate(key="guide", asset="guide", headline="The guide", abstract=long)

    assert gate.abstract_in("de-AT") == ["y" * 3000]
