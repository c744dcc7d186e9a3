"""The same four verbs over S3; the other end is a few lines that speak it on loopback."""

import io
import re
import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from regportal.errors import ConfigError, NotHereError
from regportal.library.storage import open_storage
from tests.library.library import sha256

DATA = b"%PDF-1.7 " + bytes(range(256)) * 50_000  # 12 MB: three parts on their way up
DIGEST = sha256(DATA)


class S3(BaseHTTPRequestHandler):
    """One bucket: PUT, GET, HEAD, ranges, and files that come in parts."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        part = self.query.get("partNumber")
        self.server.objects[f"{self.key}#{int(part[0]):05}" if part else self.key] = body
        self.answer(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "delete" in self.query:
            keys = re.findall(r"<Key>([^<]+)</Key>", body.decode())
            for key in keys:
                del self.server.objects[f"/files/{key}"]
            deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            self.answer(200, self.xml("DeleteResult", deleted))
            return
        if "uploads" in self.query:
            self.answer(200, self.xml("InitiateMultipartUploadResult", "<UploadId>1</UploadId>"))
            return
        parts = sorted(key for key in self.server.objects if key.startswith(f"{self.key}#"))
        self.server.objects[self.key] = b"".join(map(self.server.objects.pop, parts))
        self.answer(200, self.xml("CompleteMultipartUploadResult", "<ETag>1</ETag>"))

    def do_GET(self):
        if "list-type" in self.query:
            self.list()
            return
        if self.key not in self.server.objects:
            self.answer(404, self.xml("Error", "<Code>NoSuchKey</Code>"))
            return
        body = self.server.objects[self.key]
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked is None:
            self.answer(200, body)
            return
        first, last = int(asked[1]), min(int(asked[2]), len(body) - 1)
        where = {"Content-Range": f"bytes {first}-{last}/{len(body)}"}
        self.answer(206, body[first : last + 1], where)

    def do_HEAD(self):
        self.do_GET()

    def list(self):
        begins = f"/files/{self.query['prefix'][0]}"
        found = "".join(
            f"<Contents><Key>{key.removeprefix('/files/')}</Key><Size>{len(body)}</Size>"
            f"<LastModified>{self.server.modified}</LastModified><ETag>1</ETag></Contents>"
            for key, body in self.server.objects.items()
            if key.startswith(begins)
        )
        more = "<Name>files</Name><IsTruncated>false</IsTruncated>"
        self.answer(200, self.xml("ListBucketResult", more + found))

    @property
    def key(self):
        return urlsplit(self.path).path

    @property
    def query(self):
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    def xml(self, root, inside):
        return f"<{root}>{inside}</{root}>".encode()

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        changed = "Wed, 04 Mar 2026 12:00:00 GMT"
        told = {"Content-Length": str(len(body)), "ETag": '"1"', "Last-Modified": changed}
        for name, value in (told | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def s3(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), S3)
    server.objects = {}
    server.modified = datetime.now(UTC).isoformat()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    for name, value in {
        "AWS_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "ours",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bucket(s3):
    return open_storage("s3://files/acme/library")


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7 small", DATA])
def test_what_is_taken_is_kept_under_its_hash(s3, bucket, data):
    content = bucket.take(io.BytesIO(data), "Prices.pdf")
    digest = sha256(data)

    assert (content.sha256, content.size, content.name) == (digest, len(data), "Prices.pdf")
    assert list(s3.objects) == [f"/files/acme/library/{digest[:2]}/{digest[2:4]}/{digest}"]
    assert bucket.has(digest)
    assert bucket.size(digest) == len(data)
    with bucket.open(digest) as file:
        assert file.read() == data


def test_any_part_can_be_read(bucket):
    bucket.take(io.BytesIO(DATA), "Prices.pdf")
    with bucket.open(DIGEST) as file:
        assert file.seek(0, io.SEEK_END) == len(DATA)
        for first, size in ((0, 9), (5_000_000, 70_000), (len(DATA) - 5, 5), (3, 2_000_000)):
            file.seek(first)

            assert file.read(size) == DATA[first : first + size]
            assert file.tell() == first + size


def test_a_file_that_arrives_in_parts_is_one_file(s3, bucket):
    arrival = uuid.uuid4()
    for number, begins in enumerate(range(0, len(DATA), 1_000_000)):
        bucket.add_part(arrival, number, DATA[begins : begins + 1_000_000])
    bucket.add_part(uuid.uuid4(), 0, b"of somebody else")
    assert sum(bucket.parts(arrival)) == len(DATA)
    content = bucket.take_parts(arrival, "Prices.pdf")

    assert (content.sha256, content.size, content.type) == (DIGEST, len(DATA), "application/pdf")
    assert bucket.parts(arrival) == []
    assert sum("arriving" in name for name in s3.objects) == 1


def test_parts_that_nobody_brings_to_an_end_are_cleared_away(s3, bucket):
    old, fresh = uuid.uuid4(), uuid.uuid4()
    bucket.add_part(old, 0, b"half")
    s3.modified = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    bucket.add_part(fresh, 0, b"whole")

    assert bucket.parts(old) == []
    assert bucket.parts(fresh) == [5]


@pytest.mark.parametrize("sha", ["0" * 64, "../../etc/passwd", "", "0" * 63 + "\n"])
def test_what_is_not_there_has_no_size(bucket, sha):
    assert not bucket.has(sha)
    for ask in (bucket.open, bucket.size):
        with pytest.raises(NotHereError):
            ask(sha)


def test_a_bucket_that_does_not_answer_is_for_later(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    bucket = open_storage("s3://files")

    with pytest.raises(OSError, match="the bucket cannot be used"):
        bucket.size(DIGEST)
    with pytest.raises(OSError, match="the bucket cannot be used"):
        bucket.take(io.BytesIO(b"prices"), "a.txt")


def test_a_bucket_we_cannot_name_is_one_sentence(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")

    with pytest.raises(ConfigError, match=r"^REGPORTAL_STORAGE_URL"):
        open_storage("s3://[")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_download_comes_out_of_a_bucket_as_out_of_a_folder(library, bucket):
    library.app.extensions["regportal.storage"] = library.storage = bucket
    library.offer(DATA, name="Prices.pdf")
    link = library.give(library.visitor("ann"))
    browser = library.browser("ann")

    assert browser.get(link).data == DATA
    assert browser.get(link, headers={"Range": "bytes=-70000"}).data == DATA[-70000:]
    assert browser.head(link).headers["Content-Length"] == str(len(DATA))
    assert not library.app.extensions["regportal.lanes"]._busy
