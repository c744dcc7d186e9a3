import gzip
import re

import pytest

from regportal.app import web_root

TEMPLATES = sorted((web_root() / "templates").rglob("*.html"))
SCRIPTS = sorted((web_root() / "static" / "js").rglob("*.js"))
LETTERS = [path for path in TEMPLATES if path.parent.name == "mail"]
DATA = 'type="application/ld+json"'
PAGES = [path for path in TEMPLATES if path not in LETTERS]


@pytest.mark.parametrize(
    ("file", "most"),
    [
        ("css/regportal.css", 4000),
        ("js/regportal.js", 12_000),
        ("js/recorder.js", 3000),
        ("js/players.js", 2200),
        ("js/handover.js", 1500),
        ("js/frame.js", 1600),
        ("js/sending.js", 600),
    ],
)
def test_what_a_prospect_loads_is_small(file, most):
    assert len(gzip.compress((web_root() / "static" / file).read_bytes())) <= most


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_page_has_a_style_or_a_script_of_its_own(path):
    text = path.read_text()

    assert not re.search(r"\sstyle=|<style|\son[a-z]+=", text)
    tags = [tag for tag in re.findall(r"<script[^>]*>", text) if DATA not in tag]
    assert all("src=" in tag for tag in tags)
    assert "|safe" not in re.sub(r"\s", "", text)


@pytest.mark.parametrize("name", ["confirm", "denied", "used"])
def test_a_page_opened_from_a_mail_has_no_script_at_all(name):
    text = (web_root() / "templates" / "forms" / f"{name}.html").read_text()

    assert re.search(r"{% block script %}\s*{% endblock %}", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_script_writes_html(path):
    assert not re.search(
        r"innerHTML\s*=|insertAdjacentHTML|document\.write|eval\(", path.read_text()
    )


@pytest.mark.parametrize(
    ("name", "exported"),
    [("regportal", "regportal"), ("recorder", "regportal"), ("players", "VideoElement")],
)
def test_what_pages_of_others_load_is_one_file(name, exported):
    text = (web_root() / "static" / "js" / f"{name}.js").read_text()

    assert not re.search(r"\bimport\b(?!\.meta)", text)
    assert re.search(rf"export\{{[^}}]*\b{exported}\b", text)


@pytest.mark.parametrize("path", LETTERS, ids=lambda path: path.stem)
def test_a_letter_loads_nothing_from_elsewhere(path):

    assert not re.search(r"src=|url\(|<link|<script", path.read_text())
