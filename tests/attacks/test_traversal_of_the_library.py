"""No name, hash or token ever leads out of the storage (T-12)."""

import io

import pytest

from regportal.errors import NotHereError
from regportal.library.storage import open_storage
from tests.library.library import make_library

CANARY = b"root:canary:0:0"
DOTS = [
    "..",
    "%2e%2e",
    "..%2f",
    "%2e%2e%2f",
    "..%5c",
    "..\\",
    "%252e%252e%252f",
    "....//",
    "..;",
    "%c0%ae%c0%ae/",
]
TARGETS = ["canary", "etc/passwd", "canary%00.pdf", "canary%00", "/canary", "file:///etc/passwd"]
WAYS = [
    *(dots * depth for dots in DOTS for depth in (1, 2, 6)),
    *("/".join([dots] * depth) for dots in DOTS for depth in (2, 6)),
]
PATHS = [
    *(f"{way}/{target}" for way in WAYS for target in TARGETS),
    *TARGETS,
    "\\\\127.0.0.1\\share",
    "C:\\canary",
    "~root/canary",
    "$HOME/canary",
    "x" * 43 + "/../../canary",
    "%00",
    "%ff%fe",
    "con",
    ".",
    "..",
]


@pytest.fixture
def library(tmp_path, database_url):
    for folder in (tmp_path, tmp_path / "instance", tmp_path / "instance" / "files"):
        folder.mkdir(exist_ok=True)
        (folder / "canary").write_bytes(CANARY)
    made = make_library(tmp_path / "instance", database_url)
    made.offer()
    yield made
    made.store.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_token_is_a_path(library):
    library.visitor("ann")
    browser = library.browser("ann")
    answers = {path: browser.get(f"/d/{path}") for path in PATHS}

    assert {
        path for path, answer in answers.items() if answer.status_code not in {308, 403, 404}
    } == set()
    assert all(CANARY not in answer.data for answer in answers.values())


def test_no_hash_is_a_path(tmp_path):
    (tmp_path / "canary").write_bytes(CANARY)
    storage = open_storage(f"file://{tmp_path}/files")

    for path in PATHS:
        with pytest.raises(NotHereError):
            storage.open(path)


def test_no_name_decides_where_a_file_lies(tmp_path):
    storage = open_storage(f"file://{tmp_path}/files")
    contents = [storage.take(io.BytesIO(b"prices"), path) for path in PATHS]
    digest = contents[0].sha256
    made = [found for found in tmp_path.rglob("*") if found.is_file()]

    assert made == [tmp_path / "files" / digest[:2] / digest[2:4] / digest]
    assert not any(set(content.name) & set("/\\") for content in contents)
