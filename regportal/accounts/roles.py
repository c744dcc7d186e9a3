"""What people of the company may do in the Studio: permissions, and the roles that have them."""

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from regportal.store.words import N_


class Permission(enum.StrEnum):
    """One thing that somebody may do; every page of the Studio asks for one."""

    OVERVIEW = "overview"
    AUDIT = "audit"
    STAFF = "staff"


PERMISSIONS: Mapping[Permission, str] = MappingProxyType(
    {
        Permission.OVERVIEW: N_("see how the installation is doing"),
        Permission.AUDIT: N_("read who did what in the Studio"),
        Permission.STAFF: N_("invite people, give them roles, and disable them"),
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

GRANTED: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Permission),
        Role.ADMIN: frozenset({Permission.OVERVIEW, Permission.STAFF}),
        Role.MARKETER: frozenset({Permission.OVERVIEW}),
        Role.SELLER: frozenset({Permission.OVERVIEW}),
        Role.ANALYST: frozenset({Permission.OVERVIEW}),
        Role.AUDITOR: frozenset({Permission.OVERVIEW, Permission.AUDIT}),
        Role.PRIVACY: frozenset({Permission.OVERVIEW}),
    }
)
"""What each role may do; who has several roles may do what any of them may."""


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

    >>> sorted(allowed([Role.MARKETER, Role.AUDITOR]))
    [<Permission.AUDIT: 'audit'>, <Permission.OVERVIEW: 'overview'>]
    >>> allowed([])
    frozenset()
    """
    return frozenset(permission for role in roles for permission in GRANTED[role])


def may_assign(own: Iterable[Role], before: Iterable[Role], after: Iterable[Role]) -> bool:
    """
    Return whether somebody may change a colleague's roles from these to those.

    Nobody gives or takes what they may not do themselves: only an owner makes, changes or ends
    an owner or an auditor.

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
    return Permission.STAFF in mine and all(GRANTED[role] <= mine for role in (*before, *after))
