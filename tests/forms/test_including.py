"""A gate that another server puts into its page: the same for everybody."""

import pytest

from tests.portal import ORIGIN


def test_it_says_what_the_gate_gives_and_links_to_it(portal):
    page = portal.browser().get("/g/guide/include")

    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.text.lstrip().startswith('<regportal-gate gate="guide"')
    assert f'href="{ORIGIN}/g/guide"' in page.text
    assert "<script" not in page.text
    assert "<form" not in page.text


def test_it_is_the_same_for_everybody_and_says_so(portal):
    ann, nobody = portal.browser(), portal.browser()
    ann.claim("ann@acme.example")
    portal.work()
    ann.prove(portal)
    hers = ann.get("/g/guide/include")
    his = nobody.get("/g/guide/include", **{"Accept-Language": "de", "Sec-GPC": "1"})

    assert hers.text == his.text
    assert his.headers["Cache-Control"] == "public, max-age=300"
    assert "Vary" not in his.headers
    assert "Set-Cookie" not in his.headers


def test_it_speaks_the_language_that_is_asked_for(portal):
    portal.publish(
        """
site: {name: Acme, controller: Acme, privacy_notice: "https://a.example", locale: en}
assets: [{key: guide, title: {en: A guide, de: Ein Leitfaden}, category: paper, file: guide.txt}]
gates: [{key: guide, asset: guide, headline: {en: The guide, de: Der Leitfaden}}]
"""
    )
    page = portal.browser().get("/g/guide/include?lang=de")

    assert "Der Leitfaden" in page.text
    assert 'lang="de"' in page.text
    assert f'href="{ORIGIN}/g/guide?lang=de"' in page.text


@pytest.mark.parametrize("path", ["/g/nothing/include", "/g/guide/include/more"])
def test_what_is_not_there_is_404_and_kept_by_nobody(portal, path):
    page = portal.browser().get(path)

    assert page.status == 404
    assert page.headers["Cache-Control"] == "no-store"


def test_a_headline_cannot_leave_its_place(portal):
    portal.publish(
        """
site: {name: Acme, controller: Acme, privacy_notice: "https://a.example"}
assets: [{key: guide, title: "<b>A", category: paper, file: guide.txt}]
gates: [{key: guide, asset: guide, headline: '"><script>alert(1)</script>'}]
"""
    )
    page = portal.browser().get("/g/guide/include")

    assert "<script" not in page.text
    assert "<b>" not in page.text
