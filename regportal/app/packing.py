"""Sending what any cache may keep packed: a script is less than half its size so."""

import gzip
from functools import lru_cache

from flask import Response
from werkzeug.wrappers import Request

TEXTS = frozenset({"text/javascript", "text/css", "application/json"})
SMALL = 500
"""Bytes that are not worth the trouble."""
OK = 200


def pack(response: Response, sent: Request) -> Response:
    """
    Pack an answer that is the same for everybody, for whoever takes it so.

    Only such: packing what is one person's beside what a stranger chose would tell of it by its
    length. The tag becomes a weak one, which is the same for both.
    """
    tag, _ = response.get_etag()
    if tag is not None:
        response.set_etag(tag, weak=True)
    if response.status_code != OK or response.mimetype not in TEXTS:
        return response
    response.vary.add("Accept-Encoding")
    if sent.accept_encodings.quality("gzip") <= 0 or sent.method != "GET":
        return response
    response.direct_passthrough = False
    plain = response.get_data()
    if len(plain) >= SMALL:
        response.set_data(packed(plain))
        response.content_encoding = "gzip"
        response.headers.pop("Accept-Ranges", None)
    return response


@lru_cache(maxsize=256)
def packed(plain: bytes) -> bytes:
    """
    Return the same bytes packed, the same every time.

    >>> gzip.decompress(packed(b"widgets " * 100)) == b"widgets " * 100
    True
    """
    return gzip.compress(plain, mtime=0)
