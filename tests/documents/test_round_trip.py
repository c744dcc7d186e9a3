import string

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regportal.documents import actions

SMALL = string.ascii_lowercase + string.digits
keys = st.builds(
    str.__add__, st.sampled_from(SMALL), st.text(SMALL + "-_", max_size=8)
) | st.sampled_from(
    ["no", "yes", "on", "null", "007", "1_000", "0x1f", "1e3", "true", "2026-11-21"]
)
characters = st.characters(
    codec="utf-8", exclude_categories=("Cc", "Cs"), include_characters="\n\t"
)
plain = st.text(characters, min_size=1, max_size=40).filter(str.strip) | st.sampled_from(
    [
        "no",
        "~",
        "12:30:45",
        "- a",
        "a: b",
        "#",
        "'",
        '"',
        "*a",
        "&a",
        "!a",
        "%",
        "@",
        "`",
        "? a",
        " a ",
        "A?",
    ]
)
texts = plain | st.dictionaries(st.sampled_from(["en", "de", "no", "de-AT"]), plain, min_size=1)
spans = st.sampled_from(["30s", "30m", "2h", "540d", "24mo"])
codes = st.text(characters.filter(lambda char: char not in "\n\t"), min_size=1, max_size=10)


def unique(one):
    return st.lists(one, max_size=4, unique_by=lambda document: document["key"])


def document(required, **optional):
    return st.fixed_dictionaries({"key": keys} | required, optional=optional)


choices = st.dictionaries(codes, texts, min_size=1, max_size=5)
questions = unique(
    document(
        {"label": texts, "type": st.sampled_from(["text", "country", "phone", "number"])},
        why=texts,
        sensitive=st.booleans(),
        ask_again_after=spans,
        declined=st.fixed_dictionaries({}, optional={"at_most": st.integers(1, 20)}),
    )
    | document({"label": texts, "type": st.just("choice"), "choices": choices})
)
newsletters = unique(
    document(
        {"title": texts, "wording": st.just("Send me the news.")}, topics=st.lists(keys, max_size=3)
    )
)
names = st.text(SMALL + "ÄÖ ._-", min_size=1, max_size=12).filter(
    lambda name: name.strip("._- ") == name != ""
)


def files_in(written):
    """How many assets have a file."""
    return sum("file" in one for one in written)


assets = unique(
    document({"title": texts, "category": keys, "url": st.just("https://acme.example/a?b=c#d")})
    | document({"title": texts, "category": keys, "file": names}, topics=st.lists(keys, max_size=3))
).filter(
    lambda written: len({one["file"] for one in written if "file" in one}) == files_in(written)
)


@st.composite
def books(draw):
    book = {
        "site": draw(
            st.fixed_dictionaries(
                {
                    "name": texts,
                    "controller": plain,
                    "privacy_notice": st.just("https://acme.example/privacy"),
                },
                optional={
                    "visit": spans,
                    "theme": st.fixed_dictionaries({}, optional={"accent": st.just("#123456")}),
                },
            )
        ),
        "newsletters": draw(newsletters),
        "questions": draw(questions),
        "assets": draw(assets),
    }
    if book["assets"]:
        of = st.sampled_from([asset["key"] for asset in book["assets"]])
        asked = [question["key"] for question in book["questions"]]
        offered = [letter["key"] for letter in book["newsletters"]]
        gate = document(
            {"asset": of, "headline": texts},
            questions=st.permutations(asked),
            newsletters=st.permutations(offered),
            per_visit=st.integers(0, 20),
            delivery=st.sampled_from(["instant", "mail"]),
        )
        book["gates"] = draw(unique(gate))
    return {section: content for section, content in book.items() if content}


def write(desk, book):
    text = yaml.safe_dump(book, allow_unicode=True, sort_keys=False)
    desk.write(text)
    for asset in book.get("assets", ()):
        if "file" in asset:
            desk.add(asset["file"], asset["key"].encode())
    return desk


def written_files(desk):
    """What an export writes: texts and bytes."""
    folder = desk.folder / "exported"
    actions.write_to(folder, desk.export(), desk.storage)
    return folder, {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(book=books())
def test_applying_what_was_exported_changes_nothing(desk, book):
    write(desk, book).apply(prune=True)
    folder, files = written_files(desk)
    desk.file, home = folder / "regportal.yaml", desk.file
    try:
        plan = desk.plan(prune=True)
    finally:
        desk.file = home

    assert plan.is_empty(), plan.told()
    assert (folder / "regportal.yaml").read_text(encoding="utf-8") == desk.export().text
    kept = {content.decode() for path, content in files.items() if path.parts[0] == "files"}
    last = {asset["file"]: asset["key"] for asset in book.get("assets", ()) if "file" in asset}
    assert kept >= {*last.values()}


def test_what_was_exported_can_found_another_portal(desk, tmp_path):
    two = "  - {key: %s, title: T, category: c, file: %s/Price.txt}\n"
    text = (
        "site: {name: A, controller: A, privacy_notice: 'https://a.example/p'}\nassets:\n"
        + two % ("a", "x")
        + two % ("b", "y")
        + "  - {key: c, title: T, category: c, file: files/one.txt}\n"
    )
    desk.add("x/Price.txt", b"A")
    desk.add("y/Price.txt", b"B")
    desk.add("files/one.txt", b"C")
    desk.apply(text)
    folder, files = written_files(desk)

    assert {
        str(path): content for path, content in files.items() if path.name != "regportal.yaml"
    } == {
        "files/a/Price.txt": b"A",
        "files/b/Price.txt": b"B",
        "files/one.txt": b"C",
    }
    assert "file: files/one.txt" in (folder / "regportal.yaml").read_text(encoding="utf-8")


def test_an_export_that_fails_leaves_the_old_one_whole(desk, tmp_path):
    desk.add("a.txt", b"A")
    desk.apply(
        "site: {name: A, controller: A, privacy_notice: 'https://a.example/p'}\n"
        "assets: [{key: a, title: A, category: c, file: a.txt}]\n"
    )
    folder, before = written_files(desk)
    for path in (tmp_path / "storage").rglob("*"):
        if path.is_file():
            path.unlink()

    with pytest.raises(Exception, match="no bytes"):
        actions.write_to(folder, desk.export(), desk.storage)
    after = {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert after == before
