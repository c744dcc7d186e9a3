"""Salesforce, by its REST API."""

from regportal.config import Settings
from regportal.connectors.base import Secrets
from regportal.connectors.egress import Egress
from regportal.connectors.records import Records
from regportal.connectors.salesforce.desk import SalesforceDesk
from regportal.connectors.schema import Connector as Document

__all__ = ["connect"]


def connect(
    document: Document, settings: Settings, secret: Secrets, *, egress: Egress | None = None
) -> Records:
    """
    Return the connector to the Salesforce org that a document describes.

    Raises ConfigError where its secret is not there.
    """
    egress = egress or Egress(settings.allow_private_targets)
    return Records(document, SalesforceDesk(document, egress, secret(document.secret)))
