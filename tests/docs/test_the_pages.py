"""What the pages for people say can be followed: links, commands, examples, pictures."""

import json
import re
from pathlib import Path

import pytest
import yaml

from regportal.cli import COMMANDS
from regportal.documents.planning import plan
from regportal.documents.reading import read
from regportal.tracking.events import understand

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
WHOLE = ROOT / "docs" / "documents.md"
LARGEST = 150_000  # bytes of a picture
EVENT = {
    "id": "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b",
    "object": "https://www.acme.example/",
    "occurred_at": "2026-03-04T12:00:00Z",
}
"""What the recorder adds to what an element says."""


def blocks(page, language):
    """The examples of a page in a language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def anchors(page):
    """What a link into a page may name: its headings, as they are turned into ids."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links():
    """Every link to a file of ours, as a case of a test."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                yield pytest.param(page, target, id=f"{page.relative_to(ROOT)}: {target}")


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_every_link_leads_somewhere(page, target):
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page

    assert found.exists()
    assert not anchor or anchor in anchors(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_of_the_docs_is_in_their_index(page):
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")

    if page.parent.is_relative_to(ROOT / "docs") and page.name != "README.md":
        assert f"]({page.relative_to(ROOT / 'docs').as_posix()})" in index
    else:
        assert page.parent == ROOT or page.name == "README.md"


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_target_of_make_that_is_named_is_one(text):
    named = set(re.findall(r"\bmake ([a-z]+)\b(?= +#|`)", text))

    assert {"test"} <= named <= TARGETS


def test_the_first_two_commands_are_demo_and_test():
    assert re.findall(r"^\$ make ([a-z]+)", README, re.MULTILINE) == ["demo", "test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_named_is_one(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|\$ |bin/)regportal ([a-z-]+)", text))

    assert named - {"is"} <= set(COMMANDS)  # "regportal is ready at …" is what it prints


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "yaml")], ids=str)
def test_every_example_for_marketers_can_be_published(page, store, tmp_path):
    book = yaml.safe_load("".join(blocks(WHOLE, "yaml")))
    for block in blocks(page, "yaml"):
        for section, said in yaml.safe_load(block).items():
            book[section] = book[section] | said if section == "site" else said
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "price-list-2026.csv").write_text("article,price\n")
    path = tmp_path / "regportal.yaml"
    path.write_text(yaml.safe_dump(book, allow_unicode=True, sort_keys=False))
    with store.read() as session:
        change = plan(session, read(path))

    assert ("connector", "crm") in change.order


def told_of(page):
    """The interactions that a page shows as examples, as JSON or as attributes of an element."""
    for block in blocks(page, "json"):
        yield from json.loads(block).get("events", ())
    for tag in re.findall(r"<[a-z]+ [^>]*data-rp-event=[^>]*>", "".join(blocks(page, "html"))):
        said = dict(re.findall(r"data-rp-([a-z]+)=(?:\"([^\"]*)\")", tag))
        properties = re.search(r"data-rp-properties='([^']*)'", tag)
        yield EVENT | {
            "type": said["event"],
            "object": said.get("object", EVENT["object"]),
            "properties": json.loads(properties[1]) if properties else {},
        }


@pytest.mark.parametrize("name", ["interactions.md", "recording.md"])
def test_every_interaction_that_is_shown_would_be_taken(name):
    shown = list(told_of(ROOT / "docs" / name))

    assert shown
    for one in shown:
        understand(one, by_browser="contact" not in one)


@pytest.mark.parametrize(
    "picture", sorted(ROOT.glob("docs/images/**/*.*")), ids=lambda path: path.name
)
def test_every_picture_is_small_and_shown_somewhere(picture):
    shown = picture.relative_to(ROOT / "docs").as_posix()

    assert picture.stat().st_size < LARGEST
    assert any(f"{shown})" in page.read_text(encoding="utf-8") for page in PAGES)


def test_every_attack_is_listed_where_a_newcomer_looks():
    folder = ROOT / "tests" / "attacks"
    listed = re.findall(r"\]\((test_\w+\.py)\)", (folder / "README.md").read_text("utf-8"))

    assert sorted(listed) == sorted(file.name for file in folder.glob("test_*.py"))
