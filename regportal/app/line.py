"""The line to one CRM, as the worker holds it from one time to the next."""

from regportal.config import Settings
from regportal.connectors.base import Connector, connector_for, secrets_of
from regportal.connectors.egress import Egress
from regportal.connectors.meter import Meter
from regportal.connectors.schema import Connector as ConnectorDocument
from regportal.errors import ConfigError
from regportal.outbox.budget import Budget
from regportal.store.documents import Shelf
from regportal.store.sessions import Store
from regportal.store.vault import Vault


class Line:
    """A line to one CRM; keeps its connections from one time to the next."""

    def __init__(self, key: str, settings: Settings, store: Store, shelf: Shelf) -> None:
        """Take which CRM it is; what it is like is read every time."""
        self._key, self._settings, self._store, self._shelf = key, settings, store, shelf
        self._vault = Vault(settings, store)
        self._document: ConnectorDocument | None = None
        self._secrets: tuple[str, ...] = ()
        self._connector: Connector | None = None
        self._meter = Meter()

    def close(self) -> None:
        """Hang up; whoever waits for an answer stops waiting."""
        if self._connector is not None:
            self._connector.close()

    @property
    def document(self) -> ConnectorDocument:
        """Return what is published of the connector that :meth:`current` gave last."""
        if self._document is None:
            raise LookupError(self._key)
        return self._document

    @property
    def budget(self) -> Budget:
        """Return the calls it may cost, and does."""
        return Budget.of(self.document, self._meter)

    def current(self) -> Connector | None:
        """Return the connector as it is published now; None where it was archived."""
        document, secrets = now = self._published()
        if now != (self._document, self._secrets) and self._connector is not None:
            self._connector.close()
            self._connector = None
        if document is not None and self._connector is None:
            egress = Egress(self._settings.allow_private_targets)
            secret, self._meter = self._vault.secret, egress.meter
            self._connector = connector_for(document, self._settings, secret, egress=egress)
        self._document, self._secrets = document, secrets
        return self._connector

    def is_current(self) -> bool:
        """Return whether the connector that :meth:`current` gave last is still as published."""
        try:
            return self._published() == (self._document, self._secrets)
        except ConfigError:  # a secret is gone: whoever asks for the connector is told
            return False

    def _published(self) -> tuple[ConnectorDocument | None, tuple[str, ...]]:
        """Return what is published of it, and the secrets that names."""
        with self._store.read() as session:
            document = self._shelf.published(session).find(ConnectorDocument, self._key)
        return document, secrets_of(document, self._vault.secret) if document else ()
