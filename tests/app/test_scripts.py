"""The scripts that pages of others load stay under their address, whatever is released later."""

import base64
import hashlib

import pytest

from regportal.app import web_root
from regportal.embedding.builds import NAMES, Build, builds, present

PRESENT = web_root() / "static" / "js"


def write(folder, text):
    """Put scripts into a folder."""
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / name).write_text(f"{text} {name}")


@pytest.fixture
def folder(tmp_path):
    """The scripts of 0.1.0, just released."""
    for one in (tmp_path, tmp_path / "0.1.0", tmp_path / "src"):
        write(one, "first")
    return tmp_path


def test_a_script_is_the_same_under_its_version_and_kept_for_a_year(portal):
    build = present(PRESENT)
    for name in NAMES:
        answer = portal.app.test_client().get(f"/{build.address(name)}")

        assert answer.status_code == 200
        assert answer.mimetype == "text/javascript"
        assert answer.get_data() == (PRESENT / name).read_bytes()
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        digest = hashlib.sha384(answer.get_data()).digest()
        assert build.integrity(name) == f"sha384-{base64.b64encode(digest).decode()}"
        answer.close()


def test_what_is_already_there_need_not_be_sent_again(portal):
    client, address = portal.app.test_client(), f"/{present(PRESENT).address('recorder.js')}"
    with (
        client.get(address) as first,
        client.get(address, headers={"If-None-Match": first.headers["ETag"]}) as again,
    ):
        assert again.status_code == 304
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path", ["9.9.9/regportal.js", "src/recorder.html", "0.1.0/demo.js", "../js/9/recorder.js"]
)
def test_a_version_that_never_was_is_not_there_and_not_kept(portal, path):
    answer = portal.app.test_client().get(f"/static/js/{path}")

    assert answer.status_code == 404
    assert "immutable" not in answer.headers["Cache-Control"]


def test_a_build_that_is_released_is_called_by_its_version(folder):
    assert present(folder).version == "0.1.0"
    assert present(folder).address("recorder.js") == "static/js/0.1.0/recorder.js"


def test_a_released_build_stays_when_the_next_one_comes(folder):
    before, kept = present(folder), present(folder).integrity("regportal.js")
    by_hash = next(name for name in builds(folder) if name != "0.1.0")
    write(folder, "second")
    served = builds(folder)

    assert present(folder).version not in {"0.1.0", by_hash}
    assert set(served) == {"0.1.0", by_hash, present(folder).version}
    for version in ("0.1.0", by_hash):
        now = Build(version, served[version])
        assert now.integrity("regportal.js") == kept
    assert before.folder == folder


def test_only_folders_of_releases_are_versions(folder):
    assert "src" not in builds(folder)
    assert "0.1.0" in builds(folder)
