"""
Ending the script element that tells search engines of a gate, from within a text of a marketer.

What he writes is often copied from elsewhere. The data stands in the page of the site, where a
script that breaks out of it would run with all that the site may do.
"""

import json

import pytest

from regportal.app import web_root
from regportal.embedding.builds import present
from regportal.embedding.snippets import snippet_of
from tests.forms.test_teaser import Reader
from tests.portal import ORIGIN

TEXTS = [
    "</script><script>alert(1)</script>",
    "</ScRiPt\t><img src=x onerror=alert(1)>",
    "<!--<script>",
    "--> ]]> <![CDATA[",
    "a\u2028b\u2029c",
    '"},"isAccessibleForFree":true,"x":{"y":"',
    "\\u003c/script> \\",
    "&lt;/script&gt;&quot; &amp;",
    "{{7*7}} {0} %s",
    "<!--#include virtual='/etc/passwd' -->",
    "\U0001f600 مرحبا",
]
SITE = """
site: {{name: {text}, controller: Acme, privacy_notice: "https://a.example"}}
assets: [{{key: guide, title: {text}, category: paper, file: guide.txt}}]
gates: [{{key: guide, asset: guide, headline: {text}, abstract: {text}}}]
"""


def written(text):
    """Return a site all of whose texts are this one."""
    return SITE.format(text=json.dumps(text, ensure_ascii=False))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_text_stays_data(portal, text):
    portal.publish(written(text))
    with portal.store.read() as session:
        published = portal.shelf.published(session)
    build = present(web_root() / "static" / "js")
    printed = snippet_of(ORIGIN, ORIGIN, build, published, "guide")
    included = portal.browser().get("/g/guide/include").text

    for page in (printed.element + printed.teaser, included):
        [told] = Reader(page).data
        assert page.lower().count("<script") == page.lower().count("</script") == 1
        assert "<!--" not in page
        assert "<img" not in page
        assert (told["name"], told["headline"]) == (text, text)
        assert told["publisher"]["name"] == text
        assert told["description"] == " ".join(text.split())
        assert told["isAccessibleForFree"] is False
        assert told["@type"] == "Report"
