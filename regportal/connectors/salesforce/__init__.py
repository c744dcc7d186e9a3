"""Salesforce, by its REST API."""

from regportal.connectors.base import Secrets
from regportal.connectors.egress import Egress
from regportal.connectors.records import Records
from regportal.connectors.salesforce.desk import SalesforceDesk
from regportal.connectors.schema import Connector as Document

__all__ = ["connect"]


def connect(document: Document, secret: Secrets, egress: Egress) -> Records:
    """
    Return the connector to the Salesforce org that a document describes.

    Raises ConfigError where its secret is not there.
    """
    return Records(document, SalesforceDesk(document, egress, secret(document.secret)))
