"""What somebody allowed, as a receipt: for the person, for programs, and on paper."""

import json
import tempfile
import unicodedata
import uuid
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pymupdf_fonts
import sqlalchemy as sa
from fpdf import FPDF
from sqlalchemy.orm import Session

from regportal.connectors.rules import in_full
from regportal.consent.actions import subject_of_claim, subject_of_contact
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork
from regportal.consent.permission import permissions_of
from regportal.identity.models import Claim, Contact
from regportal.privacy.purposes import owner_of
from regportal.store.documents import Published, Site, Wording, said

CONTEXT = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "rp": "urn:regportal:",
}
"""The vocabularies of a receipt: the W3C community's data privacy vocabulary, and our own words."""
SCHEMA = "https://w3id.org/dpv/schema/dpv-27560"
STATUS: Mapping[str, str] = {
    "pending": "dpv:ConsentRequested",
    "confirmed": "dpv:ConsentGiven",
    "imported": "dpv:ConsentGiven",
    "paused": "dpv:ConsentGiven",
    "withdrawn": "dpv:ConsentWithdrawn",
    "refused": "dpv:ConsentRefused",
    "expired": "dpv:ConsentExpired",
    "suppressed": "dpv:ConsentRevoked",
    "erased": "dpv:ConsentRevoked",
}
BASES: Mapping[str, str] = {
    "consent": "dpv:ExpressedConsent",
    "contract": "dpv:Contract",
    "legal-obligation": "dpv:LegalObligation",
    "public-interest": "dpv:PublicInterest",
    "legitimate-interest": "dpv:LegitimateInterest",
}
ARTICLES: Mapping[str, str] = {
    "dpv:ExpressedConsent": "consent, GDPR Art. 6(1)(a)",
    "dpv:Contract": "contract, GDPR Art. 6(1)(b)",
    "dpv:LegalObligation": "legal obligation, GDPR Art. 6(1)(c)",
    "dpv:PublicInterest": "public interest, GDPR Art. 6(1)(e)",
    "dpv:LegitimateInterest": "legitimate interest, GDPR Art. 6(1)(f)",
}
"""A basis as lawyers write it."""
PURPOSES: Mapping[str | None, str] = {"direct-marketing": "dpv:DirectMarketing"}
STEERING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Signs that turn the direction of what comes after them."""
FONT = "FiraGO"
"""Latin, Greek, Cyrillic, Hebrew, Arabic, Georgian, Devanagari and Thai letters."""


def receipt(
    session: Session,
    contact: Contact,
    newsletter: str | None,
    published: Published,
    *,
    now: datetime,
) -> dict[str, Any]:
    """
    Return what a contact allowed, line by line, as a consent receipt (ISO/IEC TS 27560).

    One record a newsletter, with every event, the wording as it was read, and the hashes that
    tie it to the ledger. JSON-LD in the terms of the W3C community group's guide.
    """
    lines = _lines(session, contact, newsletter)
    stands = permissions_of(session, contact, at=now)
    records = []
    for key, events in lines.items():
        allows = stands.get(key)
        records.append(
            {
                "@id": f"urn:uuid:{events[0].record_id or events[0].id}",
                "@type": "dpv:ConsentRecord",
                "dct:conformsTo": f"{SCHEMA}#record",
                "dpv:hasDataSubject": {"@id": f"urn:uuid:{contact.id}", "rp:email": contact.email},
                "dpv:hasDataController": events[-1].controller,
                "dpv:hasResponsibleEntity": owner_of(published, events[-1]),
                "dpv:hasConsentStatus": STATUS[
                    allows.state if allows and allows.state else events[-1].state.value
                ],
                "rp:newsletter": key,
                "rp:state": allows.state if allows else events[-1].state.value,
                "rp:may_mail": bool(allows and allows.allowed),
                "dpv:hasProcess": {
                    "@type": "dpv:Process",
                    "dpv:hasPurpose": PURPOSES.get(events[-1].purpose, "dpv:DirectMarketing"),
                    "dpv:hasPersonalData": "pd:EmailAddress",
                    "dpv:hasLegalBasis": BASES[events[-1].lawful_basis],
                    "dpv:hasDuration": events[-1].valid_for or "dpv:IndeterminateDuration",
                },
                "rp:events": [_event(session, event) for event in events],
            }
        )
    return {
        "@context": CONTEXT,
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": f"{SCHEMA}#receipt",
        "dct:created": in_full(now),
        "dct:publisher": Site.of(published).controller,
        "dpv:hasRecordOfActivity": records,
    }


def proof_pdf(
    session: Session,
    contact: Contact,
    newsletter: str | None,
    published: Published,
    *,
    now: datetime,
) -> bytes:
    """Return the same on paper, with the receipt inside the file for whoever checks it."""
    told, site = receipt(session, contact, newsletter, published, now=now), Site.of(published)
    with tempfile.TemporaryDirectory() as folder:
        paper = _Paper(Path(folder), now)
        paper.title(f"Consent of {contact.email}", said(site.name, site.locale))
        paper.pairs(
            {
                "Controller": site.controller,
                "Privacy notice": site.notice(site.locale),
                "Made": _at(in_full(now)),
            }
        )
        if not told["dpv:hasRecordOfActivity"]:
            paper.text("The ledger holds nothing about this address.")
        for record in told["dpv:hasRecordOfActivity"]:
            paper.heading(f"Newsletter “{record['rp:newsletter']}”: {record['rp:state']}")
            paper.pairs(
                {
                    "Legal basis": ARTICLES[record["dpv:hasProcess"]["dpv:hasLegalBasis"]],
                    "Answers for it": record["dpv:hasResponsibleEntity"],
                }
            )
            for event in record["rp:events"]:
                paper.event(event)
        paper.text(
            "Every line above stands in an append-only ledger, in which each line carries the "
            "hash of the one before. `regportal ledger verify` checks all of it. The receipt as "
            "JSON-LD (ISO/IEC TS 27560) is attached to this file."
        )
        body = json.dumps(told, ensure_ascii=False, indent=2).encode()
        return paper.finish(body)


def _lines(
    session: Session, contact: Contact, newsletter: str | None
) -> dict[str, list[ConsentEvent]]:
    """Return the lines about a contact and its confirmed claims, by newsletter, oldest first."""
    claims = session.scalars(sa.select(Claim.id).where(Claim.contact_id == contact.id))
    subjects = [*map(subject_of_claim, claims), subject_of_contact(contact.id)]
    asked = sa.select(ConsentEvent).where(ConsentEvent.subject.in_(subjects))
    if newsletter is not None:
        asked = asked.where(ConsentEvent.newsletter == newsletter)
    found: dict[str, list[ConsentEvent]] = defaultdict(list)
    for line in session.scalars(asked.order_by(ConsentEvent.number)):
        found[line.newsletter].append(line)
    return found


def _event(session: Session, line: ConsentEvent) -> dict[str, Any]:
    """Return one line of the ledger with what lies beside it, as far as it is still kept."""
    wording = session.get(Wording, line.wording)
    return {
        "@id": f"urn:uuid:{line.id}",
        "rp:number": line.number,
        "rp:state": line.state.value,
        "rp:event_type": line.event_type,
        "dpv:hasConsentStatus": STATUS[line.state.value],
        "dpv:hasLegalBasis": BASES[line.lawful_basis],
        "dpv:isIndicatedAtTime": in_full(line.at),
        "dpv:isIndicatedBy": line.entity,
        "dpv:hasIndicationMethod": line.method,
        "dpv:hasNotice": {
            "@id": line.privacy_notice,
            "dct:hasVersion": line.privacy_notice_version,
            "rp:sha256": line.privacy_notice_hash,
        },
        "rp:wording": wording.text if wording else None,
        "rp:wording_sha256": line.wording,
        "dct:language": line.locale,
        "rp:box_default": line.box_default,
        "rp:form_version": line.form_version,
        "dct:valid": in_full(line.valid_until) if line.valid_until else None,
        "rp:until": in_full(line.until) if line.until else None,
        "rp:frequency": line.rhythm,
        "rp:evidence_file_sha256": line.evidence_file,
        "rp:evidence": _evidence(session, line.id),
        "rp:row_hash": line.row_hash,
        "rp:previous_hash": line.previous_hash,
    }


def _evidence(session: Session, line_id: uuid.UUID) -> dict[str, Any]:
    """Return the evidence of a line that was not erased yet."""
    evidence = session.get(ConsentEvidence, line_id)
    network = session.get(ConsentNetwork, line_id)
    kept: dict[str, Any] = {}
    if evidence is not None:
        confirmed_at = evidence.confirmed_at
        kept |= {
            "address": evidence.address,
            "signals": dict(evidence.signals),
            "claim": str(evidence.claim_id) if evidence.claim_id else None,
            "message_id": evidence.message_id,
            "confirmed_at": in_full(confirmed_at) if confirmed_at else None,
        }
    if network is not None:
        kept |= {"network": network.network, "agent_sha256": network.agent_hash}
    return kept


class _Paper:
    """A sheet that shows every script we have letters for."""

    def __init__(self, folder: Path, now: datetime) -> None:
        """Begin a page; the letters are unpacked into the folder."""
        pdf = FPDF(format="A4")
        pdf.set_creation_date(now)
        pdf.set_margin(20)
        for style, letters in (("", "figo"), ("B", "figbo")):
            file = folder / f"{letters}.ttf"
            file.write_bytes(pymupdf_fonts.fontbuffers[letters]())
            pdf.add_font(FONT, style, file)
        pdf.set_text_shaping(use_shaping_engine=True)
        pdf.add_page()
        self._pdf = pdf

    def title(self, text: str, above: str) -> None:
        """Write what it is about."""
        self._pdf.set_title(text)
        self._line(above, size=9, grey=110)
        self._line(text, size=18, bold=True, gap=4)

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._pdf.ln(4)
        self._line(text, size=13, bold=True, gap=2)

    def text(self, text: str) -> None:
        """Write a sentence or two."""
        self._pdf.ln(4)
        self._line(text, size=9, grey=90)

    def pairs(self, pairs: Mapping[str, str | None]) -> None:
        """Write what is called what."""
        for name, value in pairs.items():
            if value:
                self._pdf.set_font(FONT, "B", 9)
                self._pdf.cell(38, 5, name)
                self._line(value, size=9)

    def event(self, event: Mapping[str, Any]) -> None:
        """Write one line of the ledger."""
        notice = event["dpv:hasNotice"]
        evidence = event["rp:evidence"]
        self._pdf.ln(2)
        self._line(
            f"{_at(event['dpv:isIndicatedAtTime'])}: {event['rp:state']}", size=10, bold=True
        )
        self.pairs(
            {
                "By": f"{event['dpv:isIndicatedBy']}, {event['dpv:hasIndicationMethod']}",
                "Wording": event["rp:wording"],
                "Legal basis": ARTICLES[event["dpv:hasLegalBasis"]],
                "Box before": f"{event['rp:box_default']} (form {event['rp:form_version']})",
                "Notice": " ".join(filter(None, [notice["@id"], notice["dct:hasVersion"]])),
                "Valid until": _at(event["dct:valid"]),
                "Paused until": _at(event["rp:until"]),
                "Frequency": event["rp:frequency"],
                "Evidence file": event["rp:evidence_file_sha256"],
                "Mail": evidence.get("message_id"),
                "Pressed": _at(evidence.get("confirmed_at")),
                "Claim": evidence.get("claim"),
                "From": evidence.get("network"),
                "Signals": ", ".join(f"{k}: {v}" for k, v in evidence.get("signals", {}).items()),
                "Line": f"{event['rp:number']}, {event['@id'].removeprefix('urn:uuid:')}",
                "Hash": event["rp:row_hash"],
            }
        )

    def finish(self, attached: bytes) -> bytes:
        """Return the file."""
        self._pdf.embed_file(
            basename="receipt.jsonld",
            bytes=attached,
            mime_type="application/ld+json",
        )
        return bytes(self._pdf.output())

    def _line(
        self, text: str, *, size: float, bold: bool = False, grey: int = 0, gap: float = 0
    ) -> None:
        """Write a text over as many lines as it needs."""
        self._pdf.set_font(FONT, "B" if bold else "", size)
        self._pdf.set_text_color(grey)
        self._pdf.multi_cell(0, size * 0.55, _printable(text), new_x="LMARGIN", new_y="NEXT")
        self._pdf.set_text_color(0)
        if gap:
            self._pdf.ln(gap)


def _printable(text: str) -> str:
    """
    Return a text without signs that steer instead of being read.

    >>> _printable("Preise" + chr(0x202E) + chr(7))
    'Preise'
    """
    return "".join(
        sign
        for sign in text
        if unicodedata.category(sign) not in {"Cc", "Cs"} and sign not in STEERING
    )


def _at(text: str | None) -> str:
    """
    Return a moment as a paper says it.

    >>> _at("2026-03-04T12:00:00Z")
    '2026-03-04 12:00:00 UTC'
    """
    return f"{text[:10]} {text[11:19]} UTC" if text else ""
