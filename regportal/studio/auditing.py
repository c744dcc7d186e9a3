"""The audit log: who did what, newest first."""

from collections.abc import Sequence

from flask import Blueprint, Response, g, render_template

from regportal.accounts.actions import everybody
from regportal.accounts.roles import ROLES, Permission
from regportal.insight import deeds
from regportal.insight.deeds import DeedRow, Deeds
from regportal.store import current
from regportal.store.words import N_, translated
from regportal.studio.lists import FORM, List, asked, filters_of, mark_asked
from regportal.studio.policies import page

DEEDS = {
    "accept": N_("came in by a link"),
    "back-test": N_("tried a draft of rules on the history"),
    "back-test-stop": N_("stopped a back-test"),
    "disable": N_("disabled somebody"),
    "discard": N_("threw a draft away"),
    "draft": N_("began a draft"),
    "enable": N_("let somebody in again"),
    "export": N_("took a copy"),
    "go": N_("let a connector go on"),
    "invite": N_("invited somebody"),
    "link": N_("made a new link for somebody"),
    "look": N_("asked a CRM"),
    "passkey-add": N_("added a passkey"),
    "passkey-delete": N_("deleted a passkey"),
    "password": N_("changed the password"),
    "pause": N_("paused a connector"),
    "propose": N_("asked colleagues to look at a draft"),
    "publish": N_("published a draft"),
    "read": N_("looked at what is known of somebody"),
    "rebase": N_("let a draft go on from what is published"),
    "recovery-codes": N_("made or used recovery codes"),
    "reopen": N_("took back that a draft is decided"),
    "replay": N_("let messages be told again"),
    "resume": N_("resumed a connector"),
    "revert": N_("took a deed back"),
    "roles": N_("changed somebody's roles"),
    "schedule": N_("let a draft be published later"),
    "second-factor": N_("changed the second factor"),
    "sells-for": N_("changed for whom in the CRM somebody sells"),
    "session-end": N_("ended a session"),
    "settle": N_("settled a conflict"),
    "shadow-begin": N_("let a draft of rules run in shadow"),
    "shadow-end": N_("ended the draft in shadow"),
    "sso-link": N_("came in by the company's provider for the first time"),
    "sso-unlink": N_("let the company's provider's name for somebody be forgotten"),
    "split": N_("took two addresses apart"),
    "stand-close": N_("closed a stand"),
    "stand-open": N_("opened a stand"),
    "unlink": N_("let nobody be recognised in a browser"),
    "write": N_("changed a draft"),
}
"""How people call each deed."""

LINES = List("audit", Deeds, DeedRow, deeds.page)

bp = Blueprint("audit", __name__)


@bp.get("/audit")
@page(Permission.AUDIT)
def log() -> str:
    """Show a page of the log."""
    filters = filters_of(Deeds)
    with current.store().read() as reading:
        found = deeds.page(reading, filters, mark_asked())
        people = everybody(reading)
        done = deeds.actions(reading)
    return render_template(
        "studio/audit.html",
        found=found,
        asked=asked(filters),
        people=[(one.id, one.email) for one in people],
        emails={str(one.id): one.email for one in people},
        deeds=[(one, translated(DEEDS.get(one, one), g.locale)) for one in done],
        said=DEEDS,
        roles=lambda value: _roles_told(value, g.locale),
    )


@bp.get(f"/audit.{FORM}")
@page(Permission.AUDIT, fresh=True)
def copy(form: str) -> Response:
    """Return all of the log that is asked for as a file."""
    return LINES.taken(form)


def _roles_told(value: Sequence[str] | Sequence[Sequence[str]], locale: str) -> str:
    """Return the roles that a line tells of in words, or those before and those now."""
    names = {role.value: translated(says, locale) for role, says in ROLES.items()}

    def told(roles: Sequence[str]) -> str:
        return ", ".join(names.get(role, role) for role in roles) or "\N{EN DASH}"

    if any(isinstance(one, list) for one in value):
        before, after = value
        says = translated(N_("Roles: %(after)s (before: %(before)s)"), locale)
        return says % {"before": told(before), "after": told(after)}
    says = translated(N_("Roles: %(roles)s"), locale)
    return says % {"roles": told([str(one) for one in value])}
