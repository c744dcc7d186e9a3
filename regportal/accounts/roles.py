"""What people of the company may do in the Studio: permissions, and the roles that have them."""

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from regportal.store.words import N_


class Permission(enum.StrEnum):
    """One thing that somebody may do; every page of the Studio asks for one."""

    OVERVIEW = "overview"
    GATES = "gates"
    PUBLISH = "publish"
    STANDS = "stands"
    SIMULATE = "simulate"
    PHASES = "phases"
    RULES = "rules"
    AUDIT = "audit"
    STAFF = "staff"
    CONTACTS = "contacts"
    CORRECT = "correct"
    DELIVERY = "delivery"
    DELIVER = "deliver"
    PAYLOADS = "payloads"
    NUMBERS = "numbers"
    ROWS = "rows"


PERMISSIONS: Mapping[Permission, str] = MappingProxyType(
    {
        Permission.OVERVIEW: N_("see how the installation is doing"),
        Permission.GATES: N_("see gates, and write drafts of them"),
        Permission.PUBLISH: N_("let a draft hold"),
        Permission.STANDS: N_("open and close stands at events"),
        Permission.SIMULATE: N_("see what a visitor would meet, also with drafts"),
        Permission.PHASES: N_("read in sentences what moves phases and scores"),
        Permission.RULES: N_("write drafts of rules, and try them"),
        Permission.AUDIT: N_("read who did what in the Studio"),
        Permission.STAFF: N_("invite people, give them roles, and disable them"),
        Permission.CONTACTS: N_("see contacts, accounts and opportunities, and take them along"),
        Permission.CORRECT: N_("take back that something is a contact's, where it is not"),
        Permission.DELIVERY: N_("see whether CRMs are told what they are owed"),
        Permission.DELIVER: N_("ask CRMs, pause them, and let messages be told again"),
        Permission.PAYLOADS: N_("read what CRMs are told of people"),
        Permission.NUMBERS: N_("see what gates and newsletters bring, in numbers"),
        Permission.ROWS: N_("see these numbers exactly, and what each of them counts"),
    }
)
"""What each lets somebody do."""


class Role(enum.StrEnum):
    """What somebody of the company is to regportal."""

    OWNER = "owner"
    ADMIN = "admin"
    MARKETER = "marketer"
    SELLER = "seller"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    PRIVACY = "privacy"


ROLES: Mapping[Role, str] = MappingProxyType(
    {
        Role.OWNER: N_("Owner"),
        Role.ADMIN: N_("Administrator"),
        Role.MARKETER: N_("Marketer"),
        Role.SELLER: N_("Seller"),
        Role.ANALYST: N_("Analyst"),
        Role.AUDITOR: N_("Auditor"),
        Role.PRIVACY: N_("Privacy officer"),
    }
)
"""How people call each."""

PEOPLE = frozenset({Permission.CONTACTS, Permission.CORRECT})
DELIVERY = frozenset({Permission.DELIVERY, Permission.DELIVER, Permission.PAYLOADS})
NUMBERS = frozenset({Permission.NUMBERS, Permission.ROWS})
RULES = frozenset({Permission.PHASES, Permission.RULES})
MARKETING = frozenset(
    {
        Permission.GATES,
        Permission.PUBLISH,
        Permission.STANDS,
        Permission.SIMULATE,
        *RULES,
        *PEOPLE,
        *DELIVERY,
        *NUMBERS,
    }
)
GRANTED: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Permission),
        Role.ADMIN: frozenset({Permission.OVERVIEW, Permission.STAFF, *DELIVERY}),
        Role.MARKETER: frozenset({Permission.OVERVIEW, *MARKETING}),
        Role.SELLER: frozenset({Permission.OVERVIEW, Permission.PHASES, Permission.CONTACTS}),
        Role.ANALYST: frozenset(
            {Permission.OVERVIEW, Permission.PHASES, Permission.DELIVERY, Permission.NUMBERS}
        ),
        Role.AUDITOR: frozenset(
            {Permission.OVERVIEW, Permission.PHASES, Permission.AUDIT, Permission.DELIVERY}
        ),
        Role.PRIVACY: frozenset(
            {Permission.OVERVIEW, *PEOPLE, Permission.DELIVERY, Permission.PAYLOADS}
        ),
    }
)
"""What each role may do; who has several roles may do what any of them may."""
GUARDED = frozenset({Permission.AUDIT, Permission.STAFF})
"""What only those give and take who may do it: whoever has it watches over the others."""
EVERYBODYS = frozenset(role for role, granted in GRANTED.items() if granted >= PEOPLE)
"""Whoever has one of these sees everybody; others see their own customers."""


def roles_of(names: Iterable[str]) -> frozenset[Role]:
    """
    Return the roles of these names; one that is none of ours says nothing.

    >>> sorted(roles_of(["auditor", "emperor"]))
    [<Role.AUDITOR: 'auditor'>]
    """
    known = {role.value for role in Role}
    return frozenset(Role(name) for name in names if name in known)


def allowed(roles: Iterable[Role]) -> frozenset[Permission]:
    """
    Return what somebody with these roles may do.

    >>> [one.value for one in sorted(allowed([Role.SELLER, Role.AUDITOR]))]
    ['audit', 'contacts', 'delivery', 'overview', 'phases']
    >>> allowed([])
    frozenset()
    """
    return frozenset(permission for role in roles for permission in GRANTED[role])


def may_raise_oneself(own: Iterable[Role]) -> bool:
    """
    Return whether somebody with these roles may choose his own: only who answers for all of it.

    >>> may_raise_oneself([Role.ADMIN, Role.SELLER]), may_raise_oneself([Role.OWNER])
    (False, True)
    """
    return Role.OWNER in own


def may_assign(own: Iterable[Role], before: Iterable[Role], after: Iterable[Role]) -> bool:
    """
    Return whether somebody may change a colleague's roles from these to those.

    Whoever looks after the people of the Studio gives any role but those that watch over him:
    only an owner makes, changes or ends an owner or an auditor.

    >>> may_assign([Role.ADMIN], [], [Role.MARKETER])
    True
    >>> may_assign([Role.ADMIN], [Role.MARKETER], [Role.OWNER])
    False
    >>> may_assign([Role.ADMIN], [Role.OWNER], [Role.OWNER, Role.MARKETER])
    False
    >>> may_assign([Role.OWNER], [Role.OWNER], [])
    True
    """
    mine = allowed(own)
    return Permission.STAFF in mine and all(
        GRANTED[role] & GUARDED <= mine for role in (*before, *after)
    )
