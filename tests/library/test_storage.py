import hashlib
import io
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from regportal.errors import ConfigError, NotHereError
from regportal.library.storage import ABANDONED, ARRIVING, Folder, open_storage
from tests.library.library import sha256

DATA = b"%PDF-1.7 prices " * 1000
DIGEST = sha256(DATA)


@pytest.fixture
def folder(tmp_path):
    return open_storage(f"file://{tmp_path / 'files'}")


def files(folder):
    return sorted(path for path in folder.folder.rglob("*") if path.is_file())


def test_what_is_taken_is_kept_under_its_hash(folder):
    content = folder.take(io.BytesIO(DATA), "Prices.pdf")

    assert content.sha256 == DIGEST
    assert (content.name, content.size, content.type) == (
        "Prices.pdf",
        len(DATA),
        "application/pdf",
    )
    assert files(folder) == [folder.folder / DIGEST[:2] / DIGEST[2:4] / DIGEST]
    assert folder.has(DIGEST)
    assert folder.size(DIGEST) == len(DATA)
    with folder.open(DIGEST) as file:
        assert file.read() == DATA
        file.seek(5)
        assert file.read(3) == DATA[5:8]


def test_a_file_is_taken_from_where_it_lies(folder, tmp_path):
    path = tmp_path / "prices.pdf"
    path.write_bytes(DATA)

    assert folder.take(path, path.name).sha256 == DIGEST
    assert path.read_bytes() == DATA


def test_the_same_bytes_are_kept_once_whatever_they_are_called(folder):
    first = folder.take(io.BytesIO(DATA), "a.pdf")
    second = folder.take(io.BytesIO(DATA), "b.txt")

    assert first.sha256 == second.sha256
    assert (first.name, second.name) == ("a.pdf", "b.txt")
    assert len(files(folder)) == 1


def test_taking_again_mends_what_the_disk_lost(folder):
    folder.take(io.BytesIO(DATA), "a.pdf")
    files(folder)[0].write_bytes(b"")
    folder.take(io.BytesIO(DATA), "a.pdf")

    assert folder.size(DIGEST) == len(DATA)


def test_many_who_bring_the_same_at_once_agree(folder):
    taken = []
    threads = [
        threading.Thread(target=lambda: taken.append(folder.take(io.BytesIO(DATA), "a.pdf")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 8
    assert len(set(taken)) == 1
    assert len(files(folder)) == 1


def test_of_a_source_that_breaks_off_nothing_is_kept(folder):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 0:
                raise ConnectionResetError
            return super().read(10)

    with pytest.raises(ConnectionResetError):
        folder.take(Broken(DATA), "a.pdf")
    assert files(folder) == []


def test_a_file_that_arrives_in_parts_is_one_file(folder):
    arrival, parts = uuid.uuid4(), [b"%PDF-1.7 ", b"a" * 300_000, b"the end"]
    for number in (0, 1, 1, 2):
        folder.add_part(arrival, number, parts[number])
    folder.add_part(uuid.uuid4(), 0, b"of somebody else")
    assert folder.parts(arrival) == [9, 300_000, 7]
    content = folder.take_parts(arrival, "Prices.pdf")

    assert (content.size, content.type) == (300_016, "application/pdf")
    with folder.open(content.sha256) as file:
        assert file.read() == b"".join(parts)
    assert folder.parts(arrival) == []


def test_a_part_that_did_not_arrive_holds_up_those_after_it(folder):
    arrival = uuid.uuid4()
    folder.add_part(arrival, 0, b"first")
    folder.add_part(arrival, 2, b"third")

    assert folder.parts(arrival) == [5]


def test_parts_that_nobody_brings_to_an_end_are_cleared_away(folder):
    arrival = uuid.uuid4()
    folder.add_part(arrival, 0, b"half")
    yesterday = time.time() - ABANDONED - 1
    os.utime(folder.folder / f"{ARRIVING}{arrival}", (yesterday, yesterday))
    folder.take(io.BytesIO(DATA), "a.pdf")

    assert folder.parts(arrival) == []


def test_what_a_killed_process_left_behind_is_cleared_away(folder):
    folder.folder.mkdir()
    old, fresh = (folder.folder / f"{ARRIVING}{name}" for name in ("old", "fresh"))
    old.write_bytes(DATA)
    fresh.write_bytes(DATA)
    yesterday = time.time() - ABANDONED - 1
    os.utime(old, (yesterday, yesterday))
    folder.take(io.BytesIO(DATA), "a.pdf")

    assert not old.exists()
    assert fresh.exists()


def test_killed_at_any_moment_a_file_is_whole_or_not_there(folder):
    body = (
        "import io, sys; from regportal.library.storage import open_storage\n"
        "for n in range(100_000):\n"
        "    data = b'%d ' % n * 100_000\n"
        "    open_storage(sys.argv[1]).take(io.BytesIO(data), 'a.txt')\n"
        "    n == 3 and print('going', flush=True)\n"
    )
    for number in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", body, f"file://{folder.folder}"], stdout=subprocess.PIPE
        )
        with child:
            child.stdout.readline()
            time.sleep(0.01 * number)
            child.kill()

    whole = [path for path in files(folder) if not path.name.startswith(ARRIVING)]
    assert len(whole) >= 4
    assert all(sha256(path.read_bytes()) == path.name for path in whole)


def test_bytes_and_their_name_are_on_the_disk_before_we_say_so(folder, monkeypatch):
    flushed, really = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: flushed.append(os.fstat(fd).st_ino) or really(fd))
    folder.take(io.BytesIO(DATA), "a.pdf")
    file = files(folder)[0]

    places = [file, file.parent, file.parent.parent, folder.folder]
    assert flushed == [place.stat().st_ino for place in places]


# --- what is not taken, and what is not there


@pytest.mark.parametrize("make", ["link", "folder", "pipe", "nothing"])
def test_only_a_plain_file_is_taken(folder, tmp_path, make):
    path, secret = tmp_path / "source.pdf", tmp_path / "secret"
    secret.write_bytes(b"secret")
    {
        "link": lambda: path.symlink_to(secret),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "nothing": lambda: None,
    }[make]()

    with pytest.raises(OSError, match=r"source\.pdf"):
        folder.take(path, path.name)
    assert files(folder) == []


def test_a_link_in_the_place_of_a_file_is_not_followed(folder, tmp_path):
    folder.take(io.BytesIO(DATA), "a.pdf")
    place, secret = files(folder)[0], tmp_path / "secret"
    secret.write_bytes(b"secret")
    place.unlink()
    place.symlink_to(secret)

    with pytest.raises(NotHereError):
        folder.open(DIGEST)
    assert not folder.has(DIGEST)


@pytest.mark.parametrize(
    "sha", ["0" * 64, "", "../../etc/passwd", "A" * 64, "0" * 63 + "\n", "0" * 65]
)
def test_what_is_not_there_has_no_size(folder, sha):
    assert not folder.has(sha)
    for ask in (folder.open, folder.size):
        with pytest.raises(NotHereError):
            ask(sha)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "files",
        "/files",
        "file:",
        "file://",
        "file://host/files",
        "s3://",
        "s3:///",
        "http://x/y",
    ],
)
def test_a_place_that_is_none_is_one_sentence(url):
    with pytest.raises(ConfigError, match=r"^REGPORTAL_STORAGE_URL must be .+$"):
        open_storage(url)


@pytest.mark.parametrize("name", ["with space", "with#hash", "with?mark", "ümlaut", "100%25"])
def test_a_folder_may_be_called_as_folders_are(tmp_path, name):
    found = open_storage(f"file://{tmp_path}/{name}")

    assert isinstance(found, Folder)
    assert found.folder == tmp_path / name.replace("%25", "%")


def test_a_large_file_is_taken_at_flat_memory(tmp_path):
    size, source = 300 * 1024 * 1024, tmp_path / "large.bin"
    with source.open("wb") as file:
        file.write(b"start")
        file.truncate(size)
    body = (
        "import resource, sys; from pathlib import Path\n"
        "from regportal.library.storage import open_storage\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "content = open_storage(sys.argv[1]).take(Path(sys.argv[2]), 'large.bin')\n"
        "print(content.sha256, content.size, peak() - before)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", body, f"file://{tmp_path}/files", str(source)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    digest, taken, grown = child.stdout.split()
    with source.open("rb") as file:
        expected = hashlib.file_digest(file, "sha256").hexdigest()

    assert (digest, int(taken)) == (expected, size)
    assert int(grown) < 20 * 1024
    Path(source).unlink()
