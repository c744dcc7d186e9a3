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

from regportal.connectors.rules import in_full
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


@dataclass(frozen=True, slots=True)
class Fault:
    """One line that is not as it was written, and what is wrong with it."""

    number: int
    says: str
    id: str | None = None
    """Of the line, where there still is one: the ``evidence_id`` of commands and messages."""


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """What became of checking the whole ledger."""

    lines: int
    faults: tuple[Fault, ...]
    heads: int
    """Signed heads that were checked."""
    retired: int
    """
    Heads of a key that we have no more and that no later head vouches for: the key was taken away
    before the next one had signed. They agree with the ledger, and so does a later signed head.
    """
    unread: int
    """What is no head of ours, or not as it was signed."""
    missing: int
    """Heads that a later one vouches for: they were there, and somebody took them away."""

    @property
    def whole(self) -> bool:
        """Whether everything is as it was written."""
        return not self.faults and not self.unread and not self.missing


def head_of(
    session: Session,
    keys: Sequence[bytes],
    earlier: Sequence[Head | None] = (),
    *,
    now: datetime,
) -> Head:
    """Return the signed head of the ledger as it is; it vouches for what is good of the earlier."""
    last = session.execute(
        sa.select(ConsentEvent.number, ConsentEvent.row_hash)
        .order_by(ConsentEvent.number.desc())
        .limit(1)
    ).first()
    number, row_hash = (last.number, last.row_hash) if last else (0, FIRST)
    at = in_full(now.replace(microsecond=0))
    good = _good(earlier, keys)
    known = {digest for one in good for digest in one.vouches}
    vouches = tuple(one.digest for one in good if one.digest not in known)
    head = Head(at, number, row_hash, _name(keys[0]), vouches=vouches)
    return replace(head, signature=_signature(head, keys[0]))


def keep_head(session: Session, folder: Path, keys: Sequence[bytes], *, now: datetime) -> Head:
    """
    Add the signed head of the ledger to the file of heads, and return it.

    A ledger that is not as it was written is signed as well, and an error logged. Not to sign it
    would leave every line that is still to come unguarded, for whoever breaks a single one; and
    it makes nothing good, as the earlier heads disagree with the ledger as before. They are
    vouched for all the same: so none that disagrees can be taken away unnoticed.
    """
    earlier = read_heads(folder / HEADS)
    found = verify(session, earlier, keys)
    if not found.whole:
        log.error("the consent ledger is not as it was written: see regportal ledger verify")
    head = head_of(session, keys, earlier, now=now)
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


def verify(session: Session, heads: Sequence[Head | None], keys: Sequence[bytes]) -> LedgerCheck:
    """
    Check every line, and that the ledger still says what it said when each head was signed.

    Whoever owns the database can write lines anew so that they fit together; he cannot sign. Every
    head is asked, also of several that end at the same line: a later one says how the ledger
    ended then, and nothing of what it was before.
    """
    good = _good(heads, keys)
    strange = _of_other_keys(heads, good, keys)
    wanted = _by_line(good)
    asked = {head.number for head in strange}
    seen = {0: FIRST}
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
        if line.number in asked:
            seen[line.number] = line.row_hash
        signed = wanted.pop(line.number, [])
        other = next((head for head in signed if head.row_hash != line.row_hash), None)
        if other is not None:
            faults.setdefault(
                line.number,
                f"is not what was signed on {other.at}: a line after {sound} was written anew",
            )
        elif signed:
            sound = line.number
    for number, (head, *_) in wanted.items():
        if number <= last:
            faults.setdefault(number, f"is gone: it was there on {head.at}")
        else:
            says = f"is gone, up to line {number} at least: it was there on {head.at}"
            faults.setdefault(last + 1, says)
    found = tuple(Fault(number, says, ids.get(number)) for number, says in sorted(faults.items()))
    covered = [one for one in strange if one.number <= sound]
    covered = [one for one in covered if seen.get(one.number) == one.row_hash]
    unread = len(heads) - len(good) - len(covered)
    missing = len(_missing(heads, [*good, *strange]))
    return LedgerCheck(count, found, len(good), len(covered), unread, missing)


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
    content |= {
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
    if line.schema_version == 2:  # noqa: PLR2004 - the release with networks apart
        return content
    return content | {"event_type": line.event_type}


def evidence_hash(evidence: ConsentEvidence, schema_version: int) -> str:
    """Return the salted hash that ties the evidence to its line."""
    content: dict[str, Any] = {"address": evidence.address, "signals": evidence.signals}
    if schema_version == 1:
        content |= {"network": evidence.network, "agent_hash": evidence.agent_hash}
    elif schema_version > 2:  # noqa: PLR2004 - as above
        content |= {
            "claim_id": str(evidence.claim_id) if evidence.claim_id else None,
            "message_id": evidence.message_id,
            "confirmed_at": _moment(evidence.confirmed_at),
        }
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


def _good(heads: Sequence[Head | None], keys: Sequence[bytes]) -> list[Head]:
    """Return the heads that one of our keys signed, and those that such a head vouches for."""
    told = [head for head in heads if head is not None]
    good = {head.digest for head in told if _is_signed(head, keys)}
    for head in reversed(told):  # a head vouches for earlier ones only
        if head.digest in good:
            good |= set(head.vouches)
    return [head for head in told if head.digest in good]


def _by_line(heads: Sequence[Head]) -> dict[int, list[Head]]:
    """Return the heads that end at each line; nothing can be wrong before the first."""
    found: dict[int, list[Head]] = {}
    for head in heads:
        if head.number:
            found.setdefault(head.number, []).append(head)
    return found


def _missing(heads: Sequence[Head | None], by: Sequence[Head]) -> set[str]:
    """Return the digests of heads that some of them vouch for, and that are not there."""
    vouched = {digest for head in by for digest in head.vouches}
    return vouched - {head.digest for head in heads if head is not None}


def _of_other_keys(
    heads: Sequence[Head | None], good: Sequence[Head], keys: Sequence[bytes]
) -> list[Head]:
    """
    Return the heads of keys that we do not know: perhaps of one that was taken away too early.

    None where a head that was vouched for is not there: then somebody has changed the file.
    """
    told = [head for head in heads if head is not None]
    if not good or _missing(heads, good):
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
