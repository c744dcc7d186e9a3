"""What a file is called, and what it says it is."""

import codecs
import re
import unicodedata
from collections.abc import Callable
from urllib.parse import quote

LONGEST = 200  # characters of a name, its ending included
LONGEST_ENDING = 16  # of these; what is longer is no ending

UNKNOWN = "application/octet-stream"
HEAD = 4096  # bytes that are enough to know a file by

JOINERS = "\u200c\u200d"  # invisible, but Persian and Indic names are misspelled without them
UNSAFE = frozenset('"*/:<>?\\|')  # no file system of our visitors' would keep these
ATTRIBUTE = "!#$&+-.^_`|~"  # RFC 8187: what need not be written as %XX, besides letters and digits


def display_name(given: str) -> str:
    r"""
    Return the name under which visitors save a file: one line, no folder, 200 characters.

    >>> display_name("/srv/files/Price list (2026).pdf")
    'Price list (2026).pdf'
    >>> display_name("..\\..\\etc\\passwd"), display_name("a\r\nSet-Cookie: b=c\0.pdf")
    ('passwd', 'aSet-Cookie_ b=c.pdf')

    Marks that would let a name read as another one are left out, and something always remains:

    >>> display_name("invoice\u202efdp.exe"), display_name("...")
    ('invoicefdp.exe', 'file')
    """
    last = re.split(r"[/\\]", given.rstrip("/\\"))[-1]
    plain = unicodedata.normalize("NFC", last)
    kept = "".join("_" if sign in UNSAFE else sign for sign in plain if _is_seen(sign))
    kept = " ".join(kept.split()).strip(". ")
    stem, dot, ending = kept.rpartition(".")
    if not stem or len(ending) > LONGEST_ENDING:
        return kept[:LONGEST].strip(". ") or "file"
    room = LONGEST - len(ending) - 1
    return f"{stem[:room].strip('. ') or 'file'}{dot}{ending}"


def media_type(name: str, head: bytes) -> str:
    """
    Return the type of a file, where its name and its first bytes agree on one we serve.

    >>> media_type("prices.pdf", b"%PDF-1.7 ...")
    'application/pdf'
    >>> media_type("prices.csv", "Gerät;Preis".encode())
    'text/plain'

    Everything else is just bytes: nothing a browser would run is ever called by its name.

    >>> media_type("prices.pdf", b"<script>"), media_type("page.html", b"<!doctype html>")
    ('application/octet-stream', 'application/octet-stream')
    """
    _, dot, ending = name.lower().rpartition(".")
    found = KNOWN.get(ending) if dot else None
    return found[0] if found and found[1](head) else UNKNOWN


def content_disposition(name: str) -> str:
    r"""
    Return the header that saves a file under this name (RFC 6266), for old and new browsers.

    >>> content_disposition("Geräte 100%.pdf")
    'attachment; filename="Gerate 100_.pdf"; filename*=UTF-8\'\'Ger%C3%A4te%20100%25.pdf'
    >>> content_disposition("价格.pdf")
    'attachment; filename="file.pdf"; filename*=UTF-8\'\'%E4%BB%B7%E6%A0%BC.pdf'
    """
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    fallback = re.sub(r"[^A-Za-z0-9 ._()+,=-]", "_", ascii_only).strip()
    if fallback.startswith(".") or not fallback:
        fallback = f"file{fallback}"
    encoded = quote(name, safe=ATTRIBUTE, errors="replace")
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{encoded}"


def _is_seen(sign: str) -> bool:
    """Return whether a sign is part of a name: no control, surrogate, or mark of direction."""
    return sign in JOINERS or unicodedata.category(sign) not in {
        "Cc",
        "Cf",
        "Cn",
        "Co",
        "Cs",
        "Zl",
        "Zp",
    }


def _begins(*marks: bytes) -> Callable[[bytes], bool]:
    """Return the test of a format that says what it is in its first bytes."""
    return lambda head: head.startswith(marks)


def _is_text(head: bytes) -> bool:
    """Return whether these are the first bytes of a text in UTF-8."""
    if any(byte < ord(" ") and byte not in b"\t\n\f\r" for byte in head):
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head, final=len(head) < HEAD)  # else the last letter may be cut in two
    except UnicodeDecodeError:
        return False
    return True


def _is_epub(head: bytes) -> bool:
    """Return whether the first file of this archive says that it is a book."""
    return head.startswith(b"PK\x03\x04") and head[30:58] == b"mimetypeapplication/epub+zip"


def _is_webm(head: bytes) -> bool:
    """Return whether this is Matroska of the kind that browsers play."""
    return head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head[:64]


_zip = _begins(b"PK\x03\x04", b"PK\x05\x06")
_office = "application/vnd.openxmlformats-officedocument"

KNOWN: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "pdf": ("application/pdf", _begins(b"%PDF-")),
    "png": ("image/png", _begins(b"\x89PNG\r\n\x1a\n")),
    "jpg": ("image/jpeg", _begins(b"\xff\xd8\xff")),
    "jpeg": ("image/jpeg", _begins(b"\xff\xd8\xff")),
    "zip": ("application/zip", _zip),
    "docx": (f"{_office}.wordprocessingml.document", _zip),
    "xlsx": (f"{_office}.spreadsheetml.sheet", _zip),
    "pptx": (f"{_office}.presentationml.presentation", _zip),
    "csv": ("text/plain", _is_text),
    "txt": ("text/plain", _is_text),
    "mp4": ("video/mp4", lambda head: head[4:8] == b"ftyp"),
    "webm": ("video/webm", _is_webm),
    "mp3": ("audio/mpeg", _begins(b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
    "epub": ("application/epub+zip", _is_epub),
}
"""The types we serve, by the ending of the name and what the file must begin with."""
