"""Checking the ledger: every line against the one before, and its end against signed heads."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.hashing import content_of, evidence_hash, network_hash
from regportal.consent.heads import (
    HEADS,
    Head,
    add_head,
    good_heads,
    heads_of_other_keys,
    missing_heads,
    read_heads,
    sign_head,
)
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork
from regportal.consent.rules import FIRST, chained
from regportal.store.documents import Wording, digest_of

PAGE = 1000
"""Lines that are read at a time."""

log = logging.getLogger(__name__)


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
    return sign_head(number, row_hash, keys, earlier, now=now)


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
    add_head(folder / HEADS, head)
    return head


def verify(session: Session, heads: Sequence[Head | None], keys: Sequence[bytes]) -> LedgerCheck:
    """
    Check every line, and that the ledger still says what it said when each head was signed.

    Whoever owns the database can write lines anew so that they fit together; he cannot sign. Every
    head is asked, also of several that end at the same line: a later one says how the ledger
    ended then, and nothing of what it was before.
    """
    good = good_heads(heads, keys)
    strange = heads_of_other_keys(heads, good, keys)
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
    missing = len(missing_heads(heads, [*good, *strange]))
    return LedgerCheck(count, found, len(good), len(covered), unread, missing)


def broken_lines(session: Session) -> Iterator[int]:
    """Yield the number of every line of the ledger that is not as it was written."""
    yield from (line.number for line, says in _checked(session) if says)


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


def _by_line(heads: Sequence[Head]) -> dict[int, list[Head]]:
    """Return the heads that end at each line; nothing can be wrong before the first."""
    found: dict[int, list[Head]] = {}
    for head in heads:
        if head.number:
            found.setdefault(head.number, []).append(head)
    return found
