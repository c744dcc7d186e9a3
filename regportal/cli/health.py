"""Looking whether everything an installation needs is there and answers."""

import os
import smtplib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.app.vitals import Vitals, seconds_since, vitals
from regportal.buying.glossary import vocabulary_of
from regportal.config import Settings
from regportal.connectors.base import Vocabulary, secrets_of
from regportal.connectors.schema import Connector
from regportal.errors import RegportalError
from regportal.library.storage import open_storage
from regportal.outbox.budget import Budget, calling
from regportal.privacy.clocks import last_run
from regportal.store.ballast import MIB
from regportal.store.documents import Publication, Published, Shelf
from regportal.store.schema import Site
from regportal.store.sessions import Store, make_engine
from regportal.store.shape import first_line, is_current
from regportal.store.vault import Vault
from regportal.tracking.models import LogEntry

PATIENCE = 5  # seconds in which a server must answer
DRIFT = timedelta(seconds=5)
"""How far our clock may be from the database's."""
LATE = timedelta(days=2)
"""How long ago the nightly job may have run."""
OVERDUE = 300
"""Seconds after which what is due should have been told, however much there was."""
NOTHING = "0" * 64


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    fine: bool
    says: str


def checks(settings: Settings, *, now: datetime) -> Iterator[Check]:
    """Yield one check after the other, each as it was found."""
    yield Check("settings", fine=True, says="all can be used")
    yield _address(settings)
    if settings.limits == "off":
        yield Check("limits", fine=False, says="REGPORTAL_LIMITS is off: for tests only")
    yield _looked("storage", lambda: _storage(settings.storage_url))
    yield _looked("mail", lambda: _mail(settings.mail_url.get_secret_value()))
    engine = make_engine(settings.database_url.get_secret_value())
    try:
        reached = _looked("database", lambda: _database(engine))
        yield reached
        if reached.fine:
            yield _looked("clock", lambda: _clock(engine, now))
            with sa.orm.Session(engine) as session:
                published = Shelf().published(session)
                retention = _retention(session, now)
                found = vitals(session, published, now=now)
            yield _documents(published)
            yield retention
            yield from _delivery(found, now)
            with closing(Store(engine, ballast=settings.ballast)) as store:
                if settings.sqlite:
                    yield _ballast(store.ballast_missing)
                for connector in published.all(Connector):
                    yield from _connector(connector, vocabulary_of(published), settings, store, now)
    finally:
        engine.dispose()


class BadError(RegportalError):
    """What was looked at is not as it must be."""


def _looked(name: str, look: Callable[[], str]) -> Check:
    """Look, and say what was found."""
    try:
        return Check(name, fine=True, says=look())
    except (RegportalError, smtplib.SMTPException, OSError) as error:
        return Check(name, fine=False, says=str(error) or type(error).__name__)
    except sa.exc.SQLAlchemyError as error:
        return Check(name, fine=False, says=f"cannot be reached: {first_line(error)}")


def _address(settings: Settings) -> Check:
    """Look at the address people see."""
    host = urlsplit(settings.base_url).hostname or ""
    if host not in settings.hosts:
        says = f"REGPORTAL_TRUSTED_HOSTS does not name {host}, the host of REGPORTAL_BASE_URL"
        return Check("address", fine=False, says=says)
    only_here = " (this machine only)" if settings.development else ""
    return Check("address", fine=True, says=f"{settings.base_url}{only_here}")


def _storage(url: str) -> str:
    """Write to the place of the files, and ask it."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        _write_in(Path(unquote(parts.path)))
    open_storage(url).has(NOTHING)
    return f"files are kept in {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _mail(url: str) -> str:
    """Write to the mail folder, or say hello to the mail server."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        _write_in(Path(unquote(parts.path)))
        return f"mails are written to {unquote(parts.path)}"
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise BadError("REGPORTAL_MAIL_URL must be smtp://…, smtps://… or file:///folder")
    tls = parts.scheme == "smtps"
    kind = smtplib.SMTP_SSL if tls else smtplib.SMTP
    with kind(parts.hostname, parts.port or (465 if tls else 587), timeout=PATIENCE) as server:
        server.ehlo()
    return f"the mail server {parts.hostname} answers"


def _write_in(folder: Path) -> None:
    """Write a file that is gone at once; raise BadError where that cannot be done."""
    if not folder.is_dir():
        raise BadError(f"there is no folder {folder}: run `regportal upgrade`")
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"regportal")
    except OSError as error:
        raise BadError(f"{folder} cannot be written: {os.strerror(error.errno or 0)}") from error


def _database(engine: sa.Engine) -> str:
    """Reach the database and look at its shape."""
    path = engine.url.database if engine.dialect.name == "sqlite" else None
    if path and not Path(path).exists():
        raise BadError("there is none yet: run `regportal upgrade`")
    if not is_current(engine):
        raise BadError("is not up to date: run `regportal upgrade`")
    return f"{engine.dialect.name} is reached and up to date"


def _clock(engine: sa.Engine, now: datetime) -> str:
    """Compare our time with the database's, and with what was written last."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            theirs = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
            if abs(theirs - datetime.now(UTC)) > DRIFT:
                raise BadError(f"differs from the database's by {abs(theirs - now)}")
        for table in (LogEntry, Publication):
            newest = connection.scalar(sa.select(sa.func.max(table.at)))
            if newest is not None and newest - now > DRIFT:
                raise BadError(f"is behind what was written last: {newest:%Y-%m-%dT%H:%M:%SZ}")
    return f"it is {now:%Y-%m-%dT%H:%M:%SZ}"


def _documents(published: Published) -> Check:
    """Look whether anything is published."""
    if published.find(Site, "site") is None:
        return Check("documents", fine=False, says="nothing is published: run `regportal apply`")
    return Check("documents", fine=True, says=f"publication {published.number} holds")


def _retention(session: Session, now: datetime) -> Check:
    """Look when what is too old was last deleted."""
    last = last_run(session)
    if last is None:
        says = "nothing was deleted by age yet: that is done every night, at 03:17 UTC"
        return Check("retention", fine=True, says=says)
    rows = sum(last.did.values())
    says = f"last done {last.at:%Y-%m-%dT%H:%M:%SZ}: {rows} rows were too old"
    return Check("retention", fine=now - last.at < LATE, says=says)


def _ballast(missing: int) -> Check:
    """Look whether there is room for what must go through on a full disk."""
    if missing:
        says = f"{missing / MIB:.1f} MiB of it are not there: the disk is full, or nearly"
        return Check("ballast", fine=False, says=says)
    says = "on a full disk `regportal serve` has room for withdrawals and erasures"
    return Check("ballast", fine=True, says=says)


def _delivery(found: Vitals, now: datetime) -> Iterator[Check]:
    """Look whether somebody works where there is work, and whether what is owed gets through."""
    if found.workers is not None:
        says = f"{found.workers} work" if found.workers else "nobody works: run `regportal worker`"
        is_due = any(one.due is not None and one.due <= now for one in found.owed.values())
        is_missed = is_due or any(one.number for one in found.work.values())
        yield Check("workers", fine=found.workers > 0 or not is_missed, says=says)
    for key, owed in found.owed.items():
        late, unasked = seconds_since(owed.due, now), seconds_since(owed.poll_awaited, now)
        is_unasked = unasked > OVERDUE and not owed.poll_trouble
        wrong = [
            f"is paused ({owed.paused})" if owed.paused else "",
            f"{owed.parked} are parked: `regportal outbox list`" if owed.parked else "",
            f"the first is {late:.0f} s late" if late > OVERDUE and not owed.paused else "",
            owed.poll_trouble or "",
            f"was to be asked {unasked:.0f} s ago" if is_unasked else "",
        ]
        says = "; ".join([f"{owed.waiting.number} wait", *filter(None, wrong)])
        yield Check(f"owed to {key}", fine=not any(wrong), says=says)


def _connector(
    document: Connector, vocabulary: Vocabulary, settings: Settings, store: Store, now: datetime
) -> Iterator[Check]:
    """Look at a connector's secrets and its calls, and let it look at its CRM."""
    vault = Vault(settings, store)
    name = f"connector {document.key}"
    try:
        secrets_of(document, vault.secret)
        yield Check(name, fine=True, says="its secrets are set")
        with calling(store, document, settings, vault.secret) as connector:
            for found in connector.check(vocabulary):
                yield Check(f"{name}: {found.subject}", fine=found.fine, says=found.says)
        with store.read() as session:
            stands = Budget.of(document).stands(session, now=now)
        yield Check(f"{name}: calls", fine=not stands.holds, says=str(stands))
    except RegportalError as error:
        yield Check(name, fine=False, says=str(error))
