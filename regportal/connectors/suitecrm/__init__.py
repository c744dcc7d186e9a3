"""SuiteCRM, by its V8 API."""

from regportal.connectors.base import Secrets
from regportal.connectors.egress import Egress
from regportal.connectors.records import Records
from regportal.connectors.schema import Connector as Document
from regportal.connectors.suitecrm.asking import Suite
from regportal.connectors.suitecrm.desk import SuiteDesk

__all__ = ["connect"]


def connect(document: Document, secret: Secrets, egress: Egress) -> Records:
    """
    Return the connector to the SuiteCRM that a document describes.

    Raises ConfigError where its secret is not there.
    """
    word = secret(document.secret)
    suite = Suite.at(document.url, egress, document.client or "", word)
    return Records(document, SuiteDesk(document, suite))
