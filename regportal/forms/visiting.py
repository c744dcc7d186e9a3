"""Who stands before which gate, and with which browser."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa
from flask import g, request
from sqlalchemy.orm import Session

from regportal.errors import ForbiddenError
from regportal.forms.actions import Around, Sender, Sent
from regportal.forms.arms import Arms, Stopped, arms_of, at_gate, gate_in, question_in
from regportal.forms.asking import browser_of
from regportal.forms.fields import country_told
from regportal.forms.known import known_of
from regportal.forms.models import StoppedArm
from regportal.forms.pages import Frame, frame, locale_of
from regportal.forms.planner import NO_GROUNDS, Grounds
from regportal.forms.rules import Ask, Known
from regportal.forms.schema import Gate, Question
from regportal.forms.turnouts import counted_at
from regportal.identity import browser, wire
from regportal.identity.actions import claim_of
from regportal.identity.models import Claim, Visitor, VisitorState
from regportal.identity.rules import is_fresh as proven_lately
from regportal.identity.rules import masked
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import Published, Site
from regportal.store.tokens import derived_token, fresh_token
from regportal.store.words import N_

STOPPED = sa.select(StoppedArm.experiment, StoppedArm.version, StoppedArm.arm)
BY_MAIL = N_("The file of this gate goes by mail: show the gate in a frame, or link to its page.")


@dataclass(frozen=True, slots=True)
class Visiting:
    """Who stands before which gate, read once a request."""

    around: Around
    visitor: Visitor | None
    claim: Claim | None
    known: Known
    grounds: Grounds
    arms: Arms
    """What he meets of the experiments at this gate."""
    token: str
    is_new: bool
    """Whether the browser has no token yet: the answer brings one."""
    locale: str
    frame: Frame
    now: datetime
    may_remember: bool
    """Whether we may ask to know this browser again."""
    by_frame: bool
    """Whether the script of our framed page holds his token: the browser keeps no cookie there."""
    by_script: bool
    """Whether the site's scripts hold his token, which then opens no file that goes by mail."""

    @property
    def by_mail(self) -> bool:
        """Whether the file goes by mail: the gate says so, or stands at a kiosk."""
        return not self.around.gate.hands_over(self.around.site, proven=is_proven(self))

    @property
    def browser(self) -> str:
        """Return how forms name this browser."""
        return browser_of(self.token)

    def question(self, key: str | None) -> Question | None:
        """Return a question in the words in which he meets it."""
        found = self.around.question(key)
        return question_in(self.around.published, found.key, self.arms) if found else None


def visiting_of(
    session: Session, key: str, held: browser.Jar | None = None, *, after: bool = False
) -> Visiting:
    """
    Read who stands before which gate, with the cookie of his browser or what a script holds.

    At a kiosk nobody is known. Only ``after`` the gate a proven owner is: with the link of the
    mail, in a browser of his own. A script's token never means somebody proven; raises
    ForbiddenError where it stands before a gate whose file goes by mail.
    """
    now = datetime.now(UTC)
    published = current.published(session)
    site = Site.of(published)
    gate = published.one(Gate, key)
    asset = published.one(Asset, gate.asset)
    around = Around(published, site, current.settings().keys, gate, asset)
    held = held or browser.jar()
    token, visitor = held.token, None
    if after or not around.kiosk:
        visitor = browser.visitor_of_request(session, held, now=now)
    proven = visitor is not None and visitor.state == VisitorState.VERIFIED
    if (around.kiosk and not proven) or (held.by_script and proven):
        token = visitor = None
    arms = _arms(session, published, gate, visitor)
    visiting = Visiting(
        around=around,
        visitor=visitor,
        claim=claim_of(session, visitor) if visitor else None,
        known=known_of(session, visitor, site, now=now),
        grounds=_grounds(session, gate_in(published, gate, arms), visitor),
        arms=arms,
        token=token or fresh_token(),
        is_new=token is None,
        locale=locale_of(site),
        frame=frame(site),
        now=now,
        may_remember=site.remember == "ask" and not around.kiosk and not browser.objects(site),
        by_frame=held.by_frame,
        by_script=held.by_script,
    )
    if visiting.by_script and visiting.by_mail:
        raise ForbiddenError(BY_MAIL)
    return visiting


def _grounds(session: Session, gate: Gate, visitor: Visitor | None) -> Grounds:
    """
    Return what a choice by value goes by.

    For a claim only the documents and his browser: what became of others' forms counts for whoever
    has proven his address (docs/decisions/0023).
    """
    if gate.planner == "order" or visitor is None:
        return NO_GROUNDS
    proven = visitor.state == VisitorState.VERIFIED
    past = counted_at(session, gate.key) if proven else {}
    return Grounds(current.worths(), past, str(visitor.id))


def _arms(session: Session, published: Published, gate: Gate, visitor: Visitor | None) -> Arms:
    """Return what a visitor meets of the experiments at a gate."""
    if visitor is None or not at_gate(published, gate):
        return ()
    return arms_of(published, gate, str(visitor.id), stopped_arms(session))


def stopped_arms(session: Session) -> Stopped:
    """Return the arms that are no longer shown."""
    return {(experiment, version, arm) for experiment, version, arm in session.execute(STOPPED)}


def country_of(visiting: Visiting) -> str | None:
    """Return the country this visitor told us, for regions and telephone numbers."""
    told = {key: value for key, (value, _) in visiting.known.answers.items()}
    return country_told(visiting.around.published, told)


def is_proven(visiting: Visiting) -> bool:
    """Return whether this browser's owner has proven his address."""
    return visiting.visitor is not None and visiting.visitor.state == VisitorState.VERIFIED


def is_fresh(visiting: Visiting) -> bool:
    """Return whether he proved it here, and within the last quarter of an hour."""
    visitor = visiting.visitor
    since = visitor.verified_at if visitor is not None and is_proven(visiting) else None
    return proven_lately(since, visiting.now)


def proven_other(session: Session, match_keys: Collection[str], *, now: datetime) -> str | None:
    """
    Return whose browser this is, masked, where he is proven here and has none of these addresses.

    Two proven people in one browser: the page asks whose it is to be.
    """
    visitor = browser.visitor_of_request(session, now=now)
    return whose_browser(session, visitor, but=match_keys)


def whose_browser(
    session: Session, visitor: Visitor | None, *, but: Collection[str] = ()
) -> str | None:
    """Return who is proven in a browser, masked; None for nobody, and ``but`` for these."""
    if visitor is None or visitor.state != VisitorState.VERIFIED:
        return None
    claim = claim_of(session, visitor)
    return masked(claim.email) if claim and claim.match_key not in but else None


def sender_of(visiting: Visiting, ask: Ask, sent: Sent, honeypot: str) -> Sender:
    """Say which browser a form came from."""
    email = sent.address.email if sent.address else None
    email = email or (visiting.claim.email if visiting.claim else None)
    token = visiting.token
    if visiting.is_new:  # it keeps no cookie; sent twice, it is still the same visitor
        parts = (ask.nonce.encode(), ask.visitor.encode())
        token = derived_token(current.settings().keys, "without cookies", *parts)
    return replace(
        bare_sender(token, ask.locale),
        keeps_cookies=not (visiting.is_new or visiting.by_script or visiting.by_frame),
        machine="honeypot" if honeypot else None,
        own_staff=wire.is_own_staff(request, visiting.around.site, email),
        referrer=wire.came_from(request),
        parameters=wire.campaign_of(request.args),
    )


def bare_sender(token: str, locale: str) -> Sender:
    """Say which browser a request came from, and nothing of why."""
    return Sender(
        token=token,
        keeps_cookies=True,
        browser=browser.browser_name(request),
        locale=locale,
        network=wire.network_of(request),
        agent_hash=wire.agent_hash(request),
        signals=wire.signals_of(request),
        objects=browser.objects(current.site()),
    )


def hand_to_frame(visiting: Visiting, token: str, *, remembered: bool) -> None:
    """
    Let the page that is rendered now hand its own script a token to keep (security.md 3.2, M3).

    Only where the page around it has another origin, so that no script of it can read the frame.
    """
    origin = visiting.frame.origin
    if origin not in {None, current.settings().origin} and not browser.objects(current.site()):
        g.handed = {"token": token, "lasting": remembered}
