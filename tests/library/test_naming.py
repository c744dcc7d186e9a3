from email.message import Message
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from regportal.library.naming import HEAD, content_disposition, display_name, media_type
from regportal.library.schema import Content

OFFICE = "application/vnd.openxmlformats-officedocument"
BOOK = b"PK\x03\x04" + b"\0" * 26 + b"mimetypeapplication/epub+zip"


@given(st.text(max_size=400))
@example("a\r\nX-Evil: 1.pdf")
@example("\0")
@example("\udc80.pdf")
@example("x" * 300 + ".pdf")
@example("価格" * 150 + ".pdf")
def test_every_name_is_one_line_without_a_folder(given_name):
    name = display_name(given_name)

    assert 1 <= len(name) <= 200
    assert name.isprintable() or "\u200c" in name or "\u200d" in name
    assert not set(name) & set("\r\n\0/\\")
    assert name not in {".", ".."}
    assert not name.startswith(".")
    assert display_name(name) == name
    Content(sha256="0" * 64, name=name, size=0, type=media_type(name, b""))


@given(st.text(max_size=400))
@example('a"b\\c%41;d.pdf')
def test_every_name_makes_a_header_that_other_programs_read(given_name):
    name = display_name(given_name)
    header = content_disposition(name)
    fallback = Message()
    fallback["Content-Disposition"] = header.partition("; filename*=")[0]

    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert unquote(header.partition("; filename*=UTF-8''")[2]) == name
    assert fallback.get_content_disposition() == "attachment"
    assert not set(fallback.get_filename()) & set('%;\\/"')


def test_a_long_name_keeps_its_ending():
    assert display_name("x" * 300 + ".pdf") == "x" * 196 + ".pdf"


@pytest.mark.parametrize(
    ("name", "head", "found"),
    [
        ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ("A.PDF", b"%PDF-1.4", "application/pdf"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        ("a.jpeg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a.zip", b"PK\x03\x04", "application/zip"),
        ("a.xlsx", b"PK\x03\x04", f"{OFFICE}.spreadsheetml.sheet"),
        ("a.docx", b"PK\x03\x04", f"{OFFICE}.wordprocessingml.document"),
        ("a.mp4", b"\0\0\0\x20ftypisom", "video/mp4"),
        ("a.webm", b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "video/webm"),
        ("a.mp3", b"ID3\x04", "audio/mpeg"),
        ("a.epub", BOOK, "application/epub+zip"),
        ("a.csv", b"a;b\r\n1;2\r\n", "text/plain"),
        ("a.txt", "Grüße".encode(), "text/plain"),
        ("a.txt", ("x" * (HEAD - 1) + "ü").encode()[:HEAD], "text/plain"),
        ("a.txt", b"", "text/plain"),
    ],
)
def test_a_file_is_what_its_name_and_its_first_bytes_agree_on(name, head, found):
    assert media_type(name, head) == found


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.pdf", b"<html>"),
        ("a.png", b"GIF89a"),
        ("a.html", b"<!doctype html>"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'>"),
        ("a.xml", b"<?xml version='1.0'?>"),
        ("a.js", b"alert(1)"),
        ("a.exe", b"MZ"),
        ("a.docm", b"PK\x03\x04"),
        ("a.txt", b"\x00\x01"),
        ("a.txt", "Grüße".encode("latin-1")),
        ("a.txt", b"\xff\xfea\0"),
        ("a.epub", b"PK\x03\x04"),
        ("pdf", b"%PDF-1.7"),
        ("a.pdf.html", b"%PDF-1.7"),
        ("a", b"%PDF-1.7"),
    ],
)
def test_what_is_not_surely_harmless_is_only_bytes(name, head):
    assert media_type(name, head) == "application/octet-stream"
