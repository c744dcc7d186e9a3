"""Checking the ledger: every line against the one before, and its end against signed heads."""

import hashlib
import hmac
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork
from regportal.consent.rules import FIRST, canonical, chained
from regportal.store.documents import Wording, digest_of

HEADS = "ledger-heads.jsonl"
"""The file in the instance folder that a head is added to every night."""
PAGE = 1000
"""Lines that are read at a time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Head:
    """How the ledger ended at a moment, signed: what it said until then cannot change unseen."""

    at: str
    number: int
    """Of the last line; 0 where there was none."""
    row_hash: str
    key_id: str = ""
    signature: str = ""

    def as_json(self) -> str:
        """Return the head as one line of text."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Fault:
    """One line that is not as it was written, and what is wrong with it."""

    number: int
    says: str
    id: str | None = None
    """Of the line, where there still is one: the ``evidence_id`` of commands and messages."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of checking the whole ledger."""

    lines: int
    faults: tuple[Fault, ...]
    heads: int
    """Signed heads that were checked."""
    unread: int
    """Heads whose signature is of no key we have: forged, or of a key that was taken away."""

    @property
    def whole(self) -> bool:
        """Whether everything is as it was written."""
        return not self.faults and not self.unread


def head_of(session: Session, keys: Sequence[bytes], *, now: datetime) -> Head:
    """Return the signed head of the ledger as it is."""
    last = session.execute(
        sa.select(ConsentEvent.number, ConsentEvent.row_hash)
        .order_by(ConsentEvent.number.desc())
        .limit(1)
    ).first()
    number, row_hash = (last.number, last.row_hash) if last else (0, FIRST)
    head = Head(now.astimezone(UTC).isoformat(timespec="seconds"), number, row_hash, _name(keys[0]))
    return replace(head, signature=_signature(head, keys[0]))


def keep_head(session: Session, folder: Path, keys: Sequence[bytes], *, now: datetime) -> Head:
    """Add the signed head of the ledger to the file of heads, and return it."""
    head = head_of(session, keys, now=now)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / HEADS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(head.as_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return head


def read_heads(path: Path) -> list[Head | None]:
    """Return the heads kept in a file, oldest first; None for a line that is no head."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [_read_head(line) for line in lines if line.strip()]


def verify(session: Session, heads: Sequence[Head | None], keys: Sequence[bytes]) -> Verdict:
    """
    Check every line, and that the ledger still says what it said when each head was signed.

    Whoever owns the database can write lines anew so that they fit together; he cannot sign.
    """
    good = [head for head in heads if head is not None and _is_signed(head, keys)]
    wanted = {head.number: head for head in good if head.number}
    faults: dict[int, str] = {}
    ids: dict[int, str] = {}
    count = last = 0
    sound = 0  # the newest signed line that is as it was
    for line, says in _checked(session):
        count, last = count + 1, line.number
        if says:
            faults.setdefault(line.number, says)
        if line.number in faults or line.number in wanted:
            ids[line.number] = str(line.id)
        head = wanted.pop(line.number, None)
        if head is not None and head.row_hash == line.row_hash:
            sound = line.number
        elif head is not None:
            faults.setdefault(
                line.number,
                f"is not what was signed on {head.at}: a line after {sound} was written anew",
            )
    for number, head in wanted.items():
        if number <= last:
            faults.setdefault(number, f"is gone: it was there on {head.at}")
        else:
            says = f"is gone, up to line {number} at least: it was there on {head.at}"
            faults.setdefault(last + 1, says)
    found = tuple(Fault(number, says, ids.get(number)) for number, says in sorted(faults.items()))
    return Verdict(count, found, len(good), len(heads) - len(good))


def broken_lines(session: Session) -> Iterator[int]:
    """Yield the number of every line of the ledger that is not as it was written."""
    yield from (line.number for line, says in _checked(session) if says)


def content_of(line: ConsentEvent) -> dict[str, Any]:
    """Return what of a line is hashed: everything but its place and its own hash."""
    content = {
        "id": str(line.id),
        "schema_version": line.schema_version,
        "subject": line.subject,
        "newsletter": line.newsletter,
        "state": line.state.value,
        "at": _moment(line.at),
        "method": line.method,
        "entity": line.entity,
        "lawful_basis": line.lawful_basis,
        "controller": line.controller,
        "privacy_notice": line.privacy_notice,
        "wording": line.wording,
        "locale": line.locale,
        "form_version": line.form_version,
        "box_default": line.box_default,
        "evidence_hash": line.evidence_hash,
    }
    if line.schema_version == 1:
        return content
    return content | {
        "record_id": str(line.record_id),
        "purpose": line.purpose,
        "privacy_notice_version": line.privacy_notice_version,
        "privacy_notice_hash": line.privacy_notice_hash,
        "valid_for": line.valid_for,
        "valid_until": _moment(line.valid_until),
        "until": _moment(line.until),
        "rhythm": line.rhythm,
        "evidence_file": line.evidence_file,
        "network_hash": line.network_hash,
    }


def evidence_hash(evidence: ConsentEvidence, schema_version: int) -> str:
    """Return the salted hash that ties the evidence to its line."""
    content: dict[str, Any] = {"address": evidence.address, "signals": evidence.signals}
    if schema_version == 1:
        content |= {"network": evidence.network, "agent_hash": evidence.agent_hash}
    return chained(content, evidence.salt.hex())


def network_hash(network: ConsentNetwork) -> str:
    """Return the salted hash that ties a line to where it came from."""
    content = {"network": network.network, "agent_hash": network.agent_hash}
    return chained(content, network.salt.hex())


def _checked(session: Session) -> Iterator[tuple[ConsentEvent, str | None]]:
    """Yield every line with what is wrong with it, or None."""
    previous = FIRST
    lines: sa.Select[Any, Any, Any, Any] = (
        sa.select(ConsentEvent, ConsentEvidence, ConsentNetwork, Wording)
        .outerjoin(ConsentEvidence, ConsentEvidence.id == ConsentEvent.id)
        .outerjoin(ConsentNetwork, ConsentNetwork.id == ConsentEvent.id)
        .outerjoin(Wording, Wording.digest == ConsentEvent.wording)
        .order_by(ConsentEvent.number)
        .execution_options(yield_per=PAGE)
    )
    for line, evidence, network, wording in session.execute(lines):
        yield line, _wrong(line, evidence, network, wording, previous)
        previous = line.row_hash


def _wrong(
    line: ConsentEvent,
    evidence: ConsentEvidence | None,
    network: ConsentNetwork | None,
    wording: Wording | None,
    previous: str,
) -> str | None:
    """Return what is wrong with a line; evidence that was forgotten is not missed."""
    if line.row_hash != chained(content_of(line), line.previous_hash):
        return "was changed"
    if line.previous_hash != previous:
        return "does not follow the line before: one was removed, inserted or moved"
    if evidence is not None and not _fits(evidence, line):
        return "has other evidence than when it was written"
    if network is not None and network_hash(network) != line.network_hash:
        return "has another origin than when it was written"
    if wording is None or wording.digest != digest_of(wording.text, wording.locale):
        return "has other words than those that were agreed to"
    return None


def _fits(evidence: ConsentEvidence, line: ConsentEvent) -> bool:
    """Return whether evidence is that of its line; where its salt is gone nobody can say."""
    return not evidence.salt or evidence_hash(evidence, line.schema_version) == line.evidence_hash


def _moment(at: datetime | None) -> str | None:
    """Return a moment as it is hashed."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else None


def _signature(head: Head, key: bytes) -> str:
    """Return the signature of a head: HMAC-SHA256 by a key of the installation."""
    said = {name: value for name, value in asdict(head).items() if name != "signature"}
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


def _read_head(line: str) -> Head | None:
    """Read one line of the file of heads."""
    try:
        said = json.loads(line)
        texts = [said[name] for name in ("at", "row_hash", "key_id", "signature")]
        number = said["number"]
    except (ValueError, TypeError, KeyError):
        return None
    if type(number) is not int or not all(isinstance(one, str) and one.isascii() for one in texts):
        return None
    return Head(texts[0], number, *texts[1:])
