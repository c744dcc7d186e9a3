"""Two gigabytes through a real server: every byte right, and memory as flat as before."""

import contextlib
import hashlib
import http.client
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from regportal.library.schema import Content
from tests.library.library import cookie_of, make_library
from tests.patience import PATIENCE

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SIZE = 2 * 1024**3 + 12345
MARKS = 64  # places with bytes of their own; between them the file is holes
QUARTERS = [(n * SIZE // 4, (n + 1) * SIZE // 4) for n in range(4)]
PIECE = 1024 * 1024
MEGABYTE = 1024 * 1024
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A file of two gigabytes, mostly holes, and the hashes of it and of its quarters."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x20ftypisom")
        for mark in range(1, MARKS):
            file.seek(mark * SIZE // MARKS)
            file.write(f"mark {mark} ".encode() * 1000)
        file.truncate(SIZE)
    yield path, *_hashes(path)
    path.unlink()


@pytest.fixture
def served(tmp_path, database_url, film):
    """A server in a process of its own that offers the film."""
    path, whole, quarters = film
    library = make_library(tmp_path / "instance", database_url)
    place = library.storage.folder / whole[:2] / whole[2:4] / whole
    place.parent.mkdir(parents=True)
    place.hardlink_to(path)
    library.offer(Content(sha256=whole, name="Film.mp4", size=SIZE, type="video/mp4"))
    ann = library.visitor("ann")
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.library.library", tmp_path / "instance", database_url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            yield Served(library, ann, int(child.stdout.readline()), child.pid, whole, quarters)
        finally:
            child.terminate()
    library.store.close()
    place.unlink()


class Served:
    def __init__(self, library, ann, port, pid, whole, quarters):
        self.library, self.ann, self.port, self.pid = library, ann, port, pid
        self.whole, self.quarters = whole, quarters

    def ask(self, link, **headers):
        """Send a GET; return the connection and the answer, still unread."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", link, headers=sent | cookie_of("ann"))
        return connection, connection.getresponse()

    def fetch(self, link, **headers):
        """Return status and SHA-256 of what comes."""
        connection, answer = self.ask(link, **headers)
        with contextlib.closing(connection):
            digest = hashlib.sha256()
            while piece := answer.read(PIECE):
                digest.update(piece)
            return answer.status, digest.hexdigest()

    @contextlib.contextmanager
    def growing_less_than(self, megabytes):
        """Watch the server's memory; it must not grow by more."""
        server, done, most = psutil.Process(self.pid), threading.Event(), [0]

        def watch():
            while not done.wait(0.02):
                most[0] = max(most[0], server.memory_info().rss)

        before = server.memory_info().rss
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
        assert most[0] > 0
        assert (most[0] - before) / MEGABYTE < megabytes


def _hashes(path):
    """Return the SHA-256 of the file and of its quarters, reading it once."""
    whole, quarters = hashlib.sha256(), []
    with path.open("rb") as file:
        for first, end in QUARTERS:
            quarter = hashlib.sha256()
            while piece := file.read(min(PIECE, end - file.tell())):
                whole.update(piece)
                quarter.update(piece)
            assert file.tell() == end > first
            quarters.append(quarter.hexdigest())
    return whole.hexdigest(), quarters


def test_two_gigabytes_are_sent_whole_and_in_parts_at_flat_memory(served):
    link = served.library.give(served.ann)
    served.fetch(link, Range="bytes=0-999")  # whatever the first request loads
    got = {}

    def fetch(number):
        first, end = QUARTERS[number]
        asked = {"Range": f"bytes={first}-{end - 1}", "If_Range": f'"{served.whole}"'}
        got[number] = served.fetch(link, **asked)

    with served.growing_less_than(20):
        whole = served.fetch(link)
        threads = [threading.Thread(target=fetch, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert whole == (200, served.whole)
    assert [got[number] for number in range(4)] == [(206, digest) for digest in served.quarters]


def test_readers_who_do_not_read_hold_up_nobody_and_take_no_memory(served):
    links = []
    for number in range(15):
        token = f"reader-{number}"
        links.append((token, served.library.give(served.library.visitor(token))))
    link = served.library.give(served.ann)
    served.fetch(link, Range="bytes=0-999")
    with contextlib.ExitStack() as waiting, served.growing_less_than(50):
        for token, theirs in links * 4:
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
            waiting.callback(connection.close)
            connection.request("GET", theirs, headers=cookie_of(token))
            assert connection.getresponse().status == 200
        status, _ = served.fetch(link, Range="bytes=1000-1999")
        fifth, _ = served.fetch(links[0][1])

    assert status == 206
    assert fifth == 403  # Ann's cookie, another's link
