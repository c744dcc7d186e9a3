"""The lines that bring a gate, or the recorder, into a page."""

import json
import re

import pytest

from regportal.app import web_root
from regportal.embedding.builds import present

SITE = """
site:
  name: Acme
  controller: Acme
  privacy_notice: https://www.acme.example/privacy
  origins: [{origins}]
assets:
  - {{key: list, title: Prices, category: price-list, url: https://www.acme.example/prices}}
gates:
  - {{key: prices, asset: list, headline: Prices & "terms"}}
  - {{key: terms, asset: list, headline: Terms, abstract: "Rebates & more.\n\n\nFreight."}}
"""
WWW = "https://www.acme.example"
BUILD = present(web_root() / "static" / "js")


@pytest.fixture
def published(installed, tmp_path, monkeypatch):
    """An installation below a path of the site, with one gate."""
    monkeypatch.setenv("REGPORTAL_BASE_URL", f"{WWW}/portal")
    monkeypatch.setenv("REGPORTAL_SECRET_KEY", "x" * 32)

    def publish(origins=WWW):
        file = tmp_path / "site.yaml"
        file.write_text(SITE.format(origins=origins))
        assert installed("apply", file).code == 0
        return installed

    return publish


def test_before_anything_is_published_it_says_what_is_missing(installed):
    ran = installed("snippet")

    assert (ran.code, "recorder.js" in ran.out) == (0, True)
    assert "name the origin of your pages in site.origins" in ran.err


def test_a_gate_needs_a_script_an_element_and_three_allowances(published):
    told = published()("snippet", "prices", "--json").json()

    assert told["src"] == f"{WWW}/portal/static/js/{BUILD.version}/regportal.js"
    assert told["integrity"] == BUILD.integrity("regportal.js")
    assert told["policy"] == dict.fromkeys(("script-src", "connect-src", "frame-src"), WWW)
    assert told["element"].splitlines() == [
        '<regportal-gate gate="prices">',
        f'  <a href="{WWW}/portal/g/prices">Prices &amp; &quot;terms&quot;</a>',
        "</regportal-gate>",
    ]
    assert told["style"].startswith("regportal-gate {")
    assert told["script"].split() == [
        "<script",
        'type="module"',
        f'src="{told["src"]}"',
        f'integrity="{told["integrity"]}"',
        "crossorigin></script>",
    ]


def test_a_gate_before_a_film_needs_media_too(published, tmp_path):
    (tmp_path / "tour.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    film = SITE.replace("url: https://www.acme.example/prices", "file: tour.mp4")
    (tmp_path / "film.yaml").write_text(film.format(origins=WWW))
    installed = published()
    installed("apply", tmp_path / "film.yaml")
    told = installed("snippet", "prices", "--json").json()

    needed = ("script-src", "connect-src", "frame-src", "media-src")
    assert told["policy"] == dict.fromkeys(needed, WWW)


@pytest.mark.parametrize("mode", ["frame", "script"])
def test_the_element_says_how_the_gate_is_to_be_shown(published, mode):
    told = published()("snippet", "prices", "--mode", mode, "--json").json()

    assert told["element"].startswith(f'<regportal-gate gate="prices" mode="{mode}">')


def test_it_is_printed_as_it_is_put_into_a_page(published):
    ran = published()("snippet", "prices")
    told = published()("snippet", "prices", "--json").json()

    assert ran.code == 0
    assert told["script"] in ran.out
    assert told["element"] in ran.out
    style = f"<style>{told['style']}</style>"
    assert style in ran.out
    outside = ran.out.replace(told["script"], "").replace(told["element"], "").replace(style, "")
    assert re.sub(r"<!--.*?-->", "", outside).strip() == ""


def test_an_abstract_stands_in_the_element_and_is_told_to_search_engines(published):
    ran = published()("snippet", "terms")
    told = published()("snippet", "terms", "--json").json()
    data = told["teaser"].removeprefix('<script type="application/ld+json">')
    data = json.loads(data.removesuffix("</script>"))

    assert told["element"].splitlines() == [
        '<regportal-gate gate="terms">',
        "  <p>Rebates &amp; more.</p>",
        "  <p>Freight.</p>",
        f'  <p class="regportal-terms"><a href="{WWW}/portal/g/terms">Terms</a></p>',
        "</regportal-gate>",
    ]
    assert data["description"] == "Rebates & more.\n\nFreight."
    assert data["hasPart"]["cssSelector"] == ".regportal-terms"
    assert "encodingFormat" not in data
    assert told["teaser"] in ran.out
    assert published()("snippet", "prices", "--json").json()["teaser"] is None


def test_without_a_gate_it_is_the_recorder_alone(published):
    told = published()("snippet", "--json").json()

    assert told["src"].endswith(f"/{BUILD.version}/recorder.js")
    assert told["element"] is told["teaser"] is told["style"] is None
    assert told["policy"] == dict.fromkeys(("script-src", "connect-src"), WWW)


def test_a_gate_that_is_not_there_is_refused(published):
    ran = published()("snippet", "nothing")

    assert (ran.code, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 1


def test_a_site_that_names_no_origin_is_told_that_no_page_may_use_it(published):
    assert "site.origins" in published(origins="")("snippet", "prices").err
    assert "site.origins" not in published()("snippet", "prices").err
