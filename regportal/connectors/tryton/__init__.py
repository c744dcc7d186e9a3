"""Tryton 8.2: people are parties, and what is ours lies in fields of our own module."""

from regportal.connectors.base import Secrets
from regportal.connectors.egress import Egress
from regportal.connectors.records import Records
from regportal.connectors.schema import Connector as Document
from regportal.connectors.tryton.api import Api
from regportal.connectors.tryton.desk import TrytonDesk


def connect(document: Document, secret: Secrets, egress: Egress) -> Records:
    """Return the connector to a Tryton; raise ConfigError where its key cannot be had."""
    base, key = document.url.rstrip("/"), secret(document.secret)
    return Records(document, TrytonDesk(document, Api(base, document.database or "", key, egress)))
