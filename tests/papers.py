"""What is published, for tests that need no installation: documents, as they are read."""

from regportal.store.documents import Document, Published


def papers(*documents: Document) -> Published:
    """Return these documents as the set that holds now."""
    rows = [(one.kind, one.key, 1, one.model_dump(mode="json")) for one in documents]
    return Published(1, rows)
