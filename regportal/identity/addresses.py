"""Reading an e-mail address (security.md 2.5)."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from disposable_email_domains import blocklist
from email_validator import EmailNotValidError, validate_email
from publicsuffixlist import PublicSuffixList

from regportal.store.words import N_

NO_ADDRESS = N_("This does not look like an e-mail address.")
LONGEST = 320
"""Signs worth looking at: no address is longer (RFC 3696), and what looks costs time."""
ENCODED = re.compile(r"=\?[^?]*\?[^?]*\?.*\?=")
"""An encoded word of RFC 2047. Its signs may all stand before an @, too."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address as typed, as we write to it, and as we compare it."""

    typed: str
    email: str
    match_key: str

    @property
    def domain(self) -> str:
        """Return the domain as DNS knows it."""
        return self.match_key.rpartition("@")[2]

    @property
    def is_disposable(self) -> bool:
        """Whether its domain gives addresses that are thrown away."""
        return any(domain in blocklist for domain in _with_parents(self.domain))

    @property
    def shown(self) -> str:
        """
        Return the address as marketers and operators read it: its domain as DNS knows it.

        Two domains that look the same are not the same here (security.md 2.5).

        >>> read_address("Ann@Bücher.example").shown
        'Ann@xn--bcher-kva.example'
        """
        return f"{self.email.rpartition('@')[0]}@{self.domain}"

    @property
    def reads(self) -> str | None:
        """Return the address in the letters of its own language; None where they are the same."""
        return self.email if self.email != self.shown else None

    @property
    def flags(self) -> list[str]:
        """
        Return what is worth a second look: ``idn``, ``lookalike``, ``disposable``.

        >>> read_address("ann@xn--paypl-7ve.example").flags  # its second a is Cyrillic
        ['idn', 'lookalike']
        """
        domain = self.email.rpartition("@")[2]
        found = {
            "idn": self.reads is not None,
            "lookalike": is_lookalike(domain),
            "disposable": self.is_disposable,
        }
        return [flag for flag, holds in found.items() if holds]

    @property
    def is_free(self) -> bool:
        """
        Whether its domain gives mail to anybody.

        >>> read_address("ann@gmail.com").is_free, read_address("ann@acme.example").is_free
        (True, False)
        """
        return any(domain in _freemail() for domain in {self.domain, registrable(self.domain)})

    @property
    def is_business(self) -> bool:
        """Whether its domain is some company's own, as far as anybody can tell."""
        return not self.is_free and not self.is_disposable

    @property
    def company(self) -> str | None:
        """
        Return the domain that its company registered; None where it is no company's address.

        >>> read_address("ann@mail.acme.co.uk").company
        'acme.co.uk'
        >>> read_address("ann@gmail.com").company is None
        True
        """
        return registrable(self.domain) if self.is_business else None


def read_address(typed: str) -> Address:
    """
    Return the address somebody typed; raise ValueError with one sentence for him.

    >>> read_address(" Ann@Example.COM ").match_key
    'ann@example.com'

    What mail programs would read as an encoded word is refused: the letter would go elsewhere.

    >>> read_address("=?utf-8?q?eve=40evil.example=2C?=@acme.example")
    Traceback (most recent call last):
    ValueError: This does not look like an e-mail address.
    """
    if len(typed) > LONGEST or ENCODED.search(typed):
        raise ValueError(NO_ADDRESS)
    try:
        found = validate_email(
            typed.strip(),
            strict=True,
            check_deliverability=False,
            allow_smtputf8=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
        )
    except EmailNotValidError as error:
        raise ValueError(NO_ADDRESS) from error
    local, domain = found.local_part, found.ascii_domain.lower()
    return Address(typed.strip(), found.normalized, f"{local.lower()}@{domain}")


@lru_cache(maxsize=4096)
def registrable(domain: str) -> str | None:
    """
    Return the part of a domain that somebody registered; None where nobody can register it.

    What is below a public suffix is one owner's, whatever he calls his machines:

    >>> registrable("mail.acme.co.uk"), registrable("acme.co.uk"), registrable("co.uk")
    ('acme.co.uk', 'acme.co.uk', None)
    """
    found: str | None = _suffixes().privatesuffix(domain.lower())
    return found


@lru_cache(maxsize=4096)
def is_lookalike(domain: str) -> bool:
    r"""
    Return whether a domain may have been made to look like another one.

    It mixes scripts, or all its foreign letters look like those of ASCII.

    >>> is_lookalike("p\N{CYRILLIC SMALL LETTER A}ypal.example"), is_lookalike("bücher.example")
    (True, False)
    """
    return any(_looks_plain(label) for label in domain.split(".") if not label.isascii())


def _looks_plain(label: str) -> bool:
    """Return whether a part of a domain with foreign letters looks as if it had none."""
    from confusable_homoglyphs import confusables  # noqa: PLC0415 - it reads tables, seldom needed

    foreign = {sign for sign in label if not sign.isascii()}
    plain = {
        found["character"]
        for found in confusables.is_confusable("".join(foreign), greedy=True) or ()
        if any(like["c"].isascii() and like["c"].isalnum() for like in found["homoglyphs"])
    }
    return foreign == plain or bool(confusables.is_dangerous(label, preferred_aliases=["latin"]))


def folded(match_key: str) -> str:
    """
    Return an address without dots and tag: those that are the same so may be one person's.

    It is a hint for people, and never how addresses are compared.

    >>> folded("a.n.n+list@example.com"), folded("ann@example.com"), folded("+list@example.com")
    ('ann@example.com', 'ann@example.com', '+list@example.com')
    """
    local, _, domain = match_key.rpartition("@")
    return f"{local.partition('+')[0].replace('.', '') or local}@{domain}"


def _with_parents(domain: str) -> list[str]:
    """
    Return a domain and every domain above it but the last.

    >>> _with_parents("a.b.example")
    ['a.b.example', 'b.example']
    """
    parts = domain.split(".")
    return [".".join(parts[start:]) for start in range(len(parts) - 1)]


@cache
def _suffixes() -> PublicSuffixList:
    """Return the Public Suffix List as it came with its package: nothing is fetched."""
    return PublicSuffixList()


@cache
def _freemail() -> frozenset[str]:
    """Return the domains that give mail to anybody."""
    text = (resources.files("regportal.identity") / "freemail.txt").read_text(encoding="ascii")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
