"""A real film, small or large: one picture (VP8) in WebM, shown for so many seconds."""

import base64
import struct
from datetime import UTC, datetime

from regportal.documents import actions as documents
from regportal.documents import planning, reading
from tests.patience import PATIENCE

SEGMENT, INFO, TRACKS, CUES, CLUSTER = 0x18538067, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1F43B675
WIDTH, HEIGHT = 160, 90
DRAW = """([width, height, noise]) => {
  const canvas = Object.assign(document.createElement('canvas'), { width, height })
  const pen = canvas.getContext('2d')
  pen.fillStyle = '#0b5cad'
  pen.fillRect(0, 0, width, height)
  for (let at = 0; noise && at < width * height; at += 1) {
    pen.fillStyle = `hsl(${(at * 7919) % 360} 90% ${(at * 104729) % 100}%)`
    pen.fillRect(at % width, Math.floor(at / width), 1, 1)
  }
  return canvas.toDataURL('image/webp', 0.95).split(',')[1]
}"""


def publish(portal, text, films):
    """Publish a YAML text beside what there is, with these bytes as its files."""
    for name, film in films.items():
        (portal.folder / name).write_bytes(film)
    book = portal.folder / "films.yaml"
    book.write_text(text)
    with portal.store.read() as session:
        plan = planning.plan(session, reading.read(book))
    storage = portal.app.extensions["regportal.storage"]
    documents.apply(portal.store, storage, plan, now=datetime.now(UTC))


def picture_of(browser, *, large=False):
    """Let a browser draw a picture; return it as one frame of VP8, a few hundred kB if large."""
    width, height = (WIDTH * 4, HEIGHT * 4) if large else (WIDTH, HEIGHT)
    page = browser.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    webp = base64.b64decode(page.evaluate(DRAW, [width, height, large]))
    page.close()
    at = webp.index(b"VP8 ")  # RIFF: name, length, bytes
    return webp[at + 8 : at + 8 + int.from_bytes(webp[at + 4 : at + 8], "little")]


def webm(picture, seconds, *, large=False):
    """Return a film of one picture a second, with the index by which players jump."""
    width, height = (WIDTH * 4, HEIGHT * 4) if large else (WIDTH, HEIGHT)
    info = _box(INFO, _number(0x2AD7B1, 1_000_000), _box(0x4489, _float(seconds * 1000)))
    video = _box(0xE0, _number(0xB0, width), _number(0xBA, height))
    entry = (_number(0xD7, 1), _number(0x73C5, 1), _box(0x86, b"V_VP8"), _number(0x83, 1), video)
    tracks = _box(TRACKS, _box(0xAE, *entry))
    clusters = [
        _box(CLUSTER, _wide(0xE7, second * 1000), _box(0xA3, b"\x81\0\0\x80", picture))
        for second in range(seconds)
    ]
    before = len(info) + len(tracks) + len(_cues(clusters, 0))
    segment = _box(SEGMENT, info, tracks, _cues(clusters, before), *clusters)
    kind = (_number(0x4286, 1), _number(0x42F7, 1), _number(0x42F2, 4), _number(0x42F3, 8))
    doctype = (_box(0x4282, b"webm"), _number(0x4287, 2), _number(0x4285, 2))
    return _box(0x1A45DFA3, *kind, *doctype) + segment


def _cues(clusters, begin):
    """Return the index: at which byte of the segment each second begins."""
    points = []
    for second, cluster in enumerate(clusters):
        place = _box(0xB7, _number(0xF7, 1), _wide(0xF1, begin))
        points.append(_box(0xBB, _wide(0xB3, second * 1000), place))
        begin += len(cluster)
    return _box(CUES, *points)


def _box(name, *inside):
    """Return an element of EBML; its length takes four bytes, however short it is."""
    body = b"".join(inside)
    return _bytes(name) + (len(body) | 1 << 28).to_bytes(4, "big") + body


def _number(name, value):
    return _box(name, _bytes(value))


def _wide(name, value):
    """Return a number that takes eight bytes: the length of an index must not depend on it."""
    return _box(name, value.to_bytes(8, "big"))


def _float(value):
    return struct.pack(">d", value)


def _bytes(number):
    return number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")
