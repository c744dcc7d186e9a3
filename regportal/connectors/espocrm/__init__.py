"""EspoCRM, by its REST API."""

from regportal.connectors.base import Secrets
from regportal.connectors.egress import Egress
from regportal.connectors.espocrm.desk import EspoDesk
from regportal.connectors.records import Records
from regportal.connectors.schema import Connector as Document

__all__ = ["connect"]


def connect(document: Document, secret: Secrets, egress: Egress) -> Records:
    """
    Return the connector to the EspoCRM that a document describes.

    Raises ConfigError where a secret it names is not there.
    """
    return Records(document, EspoDesk(document, secret, egress))
