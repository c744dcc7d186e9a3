import os

import pytest

from regportal.documents.files import look_at
from regportal.errors import Place

HERE = Place("regportal.yaml", 1, "assets[0].file")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    home = tmp_path / "home"
    (home / "files").mkdir(parents=True)
    (home / "files" / "a.txt").write_text("a")
    (home / "files" / "empty.txt").touch()
    (home / "files" / "out.txt").symlink_to(tmp_path / "secret.txt")
    (home / "files" / "in.txt").symlink_to("a.txt")
    (home / "files" / "round").symlink_to("round")
    (home / "up").symlink_to(tmp_path)
    os.mkfifo(home / "files" / "pipe")
    return home


REFUSED = {
    "../secret.txt": "leads out of the folder",
    "files/../../secret.txt": "leads out of the folder",
    "/etc/passwd": "leads out of the folder",
    "files/out.txt": "leads out of the folder",
    "up/secret.txt": "leads out of the folder",
    "files\\a.txt": "must be written with /",
    "files/b.txt": "there is no file files/b.txt beside the document",
    "files/a.txt/b": "cannot be read",
    "files/round": "cannot be",
    "files/empty.txt": "is empty",
    "files": "is not a file",
    "files/pipe": "is not a file",
    "a" * 400: "cannot be",
}


@pytest.mark.parametrize(("written", "says"), REFUSED.items(), ids=lambda value: value[:30])
def test_a_file_that_is_not_one_below_the_folder_is_refused(folder, written, says):
    with pytest.raises(ValueError, match=says):
        look_at(folder, written, HERE)


@pytest.mark.parametrize("written", ["files/a.txt", "./files/a.txt", "files/in.txt"])
def test_a_file_below_the_folder_is_taken(folder, written):
    assert look_at(folder, written, HERE).path == folder / "files" / "a.txt"
