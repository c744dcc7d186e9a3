"""Microsoft Dynamics 365 Sales, by the Web API of Dataverse."""

from regportal.connectors.base import Secrets
from regportal.connectors.dynamics.desk import DynamicsDesk
from regportal.connectors.egress import Egress
from regportal.connectors.records import Records
from regportal.connectors.schema import Connector as Document

__all__ = ["connect"]


def connect(document: Document, secret: Secrets, egress: Egress) -> Records:
    """
    Return the connector to the Dynamics that a document describes.

    Raises ConfigError where a secret it names is not there, or it names no application.
    """
    return Records(document, DynamicsDesk(document, secret, egress))
