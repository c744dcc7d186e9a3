"""Signed heads of the ledger: how it ended at a moment, and which of them are to be believed."""

import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from regportal.connectors.rules import in_full
from regportal.consent.rules import canonical

HEADS = "ledger-heads.jsonl"
"""The file in the instance folder that a head is added to every night."""


@dataclass(frozen=True, slots=True)
class Head:
    """How the ledger ended at a moment, signed: what it said until then cannot change unseen."""

    at: str
    number: int
    """Of the last line; 0 where there was none."""
    row_hash: str
    key_id: str = ""
    signature: str = ""
    vouches: tuple[str, ...] = ()
    """
    The digests of earlier heads whose signatures were good when this one was signed.

    Normally the one before. So a head stays good when the key that signed it is gone: whoever
    holds the next key has checked it while he still could, and says so with his signature. It says
    that those heads are ours and were there, and nothing of the ledger: each of them is compared
    with it on its own, for ever.
    """

    def as_json(self) -> str:
        """Return the head as one line of text."""
        return json.dumps(self.said(), sort_keys=True)

    def said(self) -> dict[str, Any]:
        """Return what it says; a head that vouches for none looks as it always did."""
        told = asdict(self)
        return told if self.vouches else {k: v for k, v in told.items() if k != "vouches"}

    @property
    def digest(self) -> str:
        """Return what a later head names it by."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()


def sign_head(
    number: int,
    row_hash: str,
    keys: Sequence[bytes],
    earlier: Sequence[Head | None] = (),
    *,
    now: datetime,
) -> Head:
    """Return the signed head of a ledger that ends so; it vouches for the good of the earlier."""
    at = in_full(now.replace(microsecond=0))
    good = good_heads(earlier, keys)
    known = {digest for one in good for digest in one.vouches}
    vouches = tuple(one.digest for one in good if one.digest not in known)
    head = Head(at, number, row_hash, _name(keys[0]), vouches=vouches)
    return replace(head, signature=_signature(head, keys[0]))


def add_head(path: Path, head: Head) -> None:
    """Add a head to a file of heads; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(head.as_json() + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_heads(path: Path) -> list[Head | None]:
    """Return the heads kept in a file, oldest first; None for a line that is no head."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [_read_head(line) for line in lines if line.strip()]


def _read_head(line: str) -> Head | None:
    """Read one line of the file of heads."""
    try:
        said = json.loads(line)
        texts = [said[name] for name in ("at", "row_hash", "key_id", "signature")]
        number = said["number"]
        vouches = said.get("vouches", [])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if type(number) is not int or not isinstance(vouches, list):
        return None
    if not all(isinstance(one, str) and one.isascii() for one in (*texts, *vouches)):
        return None
    at, row_hash, key_id, signature = texts
    return Head(at, number, row_hash, key_id, signature, tuple(vouches))


def good_heads(heads: Sequence[Head | None], keys: Sequence[bytes]) -> list[Head]:
    """Return the heads that one of our keys signed, and those that such a head vouches for."""
    told = [head for head in heads if head is not None]
    good = {head.digest for head in told if _is_signed(head, keys)}
    for head in reversed(told):  # a head vouches for earlier ones only
        if head.digest in good:
            good |= set(head.vouches)
    return [head for head in told if head.digest in good]


def missing_heads(heads: Sequence[Head | None], by: Sequence[Head]) -> set[str]:
    """Return the digests of heads that some of them vouch for, and that are not there."""
    vouched = {digest for head in by for digest in head.vouches}
    return vouched - {head.digest for head in heads if head is not None}


def heads_of_other_keys(
    heads: Sequence[Head | None], good: Sequence[Head], keys: Sequence[bytes]
) -> list[Head]:
    """
    Return the heads of keys that we do not know: perhaps of one that was taken away too early.

    None where a head that was vouched for is not there: then somebody has changed the file.
    """
    told = [head for head in heads if head is not None]
    if not good or missing_heads(heads, good):
        return []
    ours, fine = {_name(key) for key in keys}, {head.digest for head in good}
    return [head for head in told if head.key_id not in ours and head.digest not in fine]


def _signature(head: Head, key: bytes) -> str:
    """Return the signature of a head: HMAC-SHA256 by a key of the installation."""
    said = {name: value for name, value in head.said().items() if name != "signature"}
    return hmac.new(_signing(key), canonical(said), hashlib.sha256).hexdigest()


def _signing(key: bytes) -> bytes:
    """Return the key for heads and nothing else."""
    return hmac.digest(key, b"ledger head", "sha256")


def _name(key: bytes) -> str:
    """Return how a head names the key that signed it; tells nothing of the key."""
    return hmac.digest(_signing(key), b"name", "sha256").hex()[:16]


def _is_signed(head: Head, keys: Sequence[bytes]) -> bool:
    """Return whether one of our keys signed a head."""
    return any(
        hmac.compare_digest(_signature(head, key), head.signature)
        for key in keys
        if _name(key) == head.key_id
    )
