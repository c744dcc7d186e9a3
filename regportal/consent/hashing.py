"""What of a line of the ledger, of its evidence and of its origin is hashed."""

from datetime import UTC, datetime
from typing import Any

from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork
from regportal.consent.rules import chained


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


def _moment(at: datetime | None) -> str | None:
    """Return a moment as it is hashed."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else None
