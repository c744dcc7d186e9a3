"""Reading an address: what is one, what it is compared by, and whose it may be."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regportal.identity.addresses import folded, is_lookalike, read_address
from regportal.identity.rules import COMMON_DOMAINS, masked, typo_hint

NO_SLIPS = ("mail.com", "email.com", "ymail.com", "yahoo.com.au", "outlook.com.au", "hotmail.ca")
"""Other people's real providers."""


@pytest.mark.parametrize(
    ("typed", "email", "match_key"),
    [
        ("ann@example.com", "ann@example.com", "ann@example.com"),
        ("  Ann@Example.COM ", "Ann@example.com", "ann@example.com"),
        ("o'brien@example.com", "o'brien@example.com", "o'brien@example.com"),
        ("=cmd|calc@example.com", "=cmd|calc@example.com", "=cmd|calc@example.com"),
        ("ann+list@example.com", "ann+list@example.com", "ann+list@example.com"),
        ("a.n.n@gmail.com", "a.n.n@gmail.com", "a.n.n@gmail.com"),
        ("ann@\N{FULLWIDTH LATIN SMALL LETTER E}xample.com", "ann@example.com", "ann@example.com"),
        ("ann@bücher.example", "ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@BÜCHER.example", "ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("!#$%&*+-/=?^_`{|}~@example.com",) * 3,
        (f"{'a' * 64}@example.com",) * 3,
    ],
)
def test_what_is_an_address(typed, email, match_key):
    address = read_address(typed)

    assert address.typed == typed.strip()
    assert address.email == email
    assert address.match_key == match_key


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "ann",
        "ann@",
        "@example.com",
        "ann@example",
        "ann@@example.com",
        "ann@exa mple.com",
        "ann smith@example.com",
        "ann@example..com",
        ".ann@example.com",
        "ann.@example.com",
        "a..n@example.com",
        "ann@-example.com",
        "ann@example.com-",
        '"ann smith"@example.com',
        "ann@[127.0.0.1]",
        "ann@127.0.0.1",
        "анна@example.com",
        "ann@example.com\nBcc: eve@evil.example",
        "ann@example.com\r\nBcc: eve@evil.example",
        "ann@example.com,eve@evil.example",
        "Ann <ann@example.com>",
        "ann@example.com\x00",
        "ann\u202e@example.com",
        f"{'a' * 65}@example.com",
        f"ann@{'a' * 64}.com",
        f"ann@{'a.' * 130}com",
        "ann@localhost",
    ],
)
def test_what_is_none(typed):
    with pytest.raises(ValueError, match=r"^This does not look like an e-mail address\.$"):
        read_address(typed)


@given(st.text(max_size=80) | st.from_regex(r"[^@\s]{1,20}@[^@\s]{1,30}", fullmatch=True))
def test_whatever_is_typed_is_read_or_refused_and_reading_again_changes_nothing(typed):
    address = None
    with contextlib.suppress(ValueError):  # one sentence; anything else is a fault of ours
        address = read_address(typed)
    if address is None:
        return

    assert read_address(address.email).match_key == address.match_key
    assert read_address(address.match_key).match_key == address.match_key


def test_dots_and_tags_are_other_people():
    same = {read_address(one).match_key for one in ("a.nn@gmail.com", "ann@gmail.com")}
    tagged = {read_address(one).match_key for one in ("ann+1@gmail.com", "ann@gmail.com")}

    assert (len(same), len(tagged)) == (2, 2)


@pytest.mark.parametrize(
    ("typed", "business", "disposable"),
    [
        ("ann@widgetworks.example", True, False),
        ("ann@bücher.example", True, False),
        ("ann@gmail.com", False, False),
        ("ANN@GMAIL.COM", False, False),
        ("ann@web.de", False, False),
        ("ann@mailinator.com", False, True),
        ("ann@any.thing.mailinator.com", False, True),
        ("ann@my-mailinator.example", True, False),
    ],
)
def test_whose_an_address_may_be(typed, business, disposable):
    address = read_address(typed)

    assert (address.is_business, address.is_disposable) == (business, disposable)


@pytest.mark.parametrize(
    ("email", "shown"),
    [
        ("ann@example.com", "a***@e***.com"),
        ("a@b.co", "a***@b***.co"),
        ("jane.doe@mail.acme.co.uk", "j***@m***.uk"),
        ("=cmd|calc@example.com", "=***@e***.com"),
        ("o'brien@bücher.example", "o***@b***.example"),
    ],
)
def test_a_mask_shows_its_owner_and_nobody_else(email, shown):
    assert masked(email) == shown


@given(st.from_regex(r"[a-z]{4,20}@[a-z]{4,20}\.[a-z]{2,6}", fullmatch=True))
def test_no_mask_tells_more_than_two_letters_and_an_ending(email):
    local, _, domain = email.partition("@")
    name, _, ending = domain.partition(".")

    assert masked(email) == f"{local[0]}***@{name[0]}***.{ending}"


@pytest.mark.parametrize(
    ("email", "meant"),
    [
        ("ann@gmial.com", "ann@gmail.com"),
        ("ann@gmal.com", "ann@gmail.com"),
        ("ann@hotmial.com", "ann@hotmail.com"),
        ("ann@outlok.com", "ann@outlook.com"),
        ("ann@yaho.com", "ann@yahoo.com"),
        ("ann@iclould.com", "ann@icloud.com"),
        ("ann@widgetworks.example", None),
        ("ann@acme.com", None),
        *((f"ann@{domain}", None) for domain in NO_SLIPS),
        *((f"ann@{domain}", None) for domain in COMMON_DOMAINS),
    ],
)
def test_a_slip_of_the_finger_is_hinted_at(email, meant):
    assert typo_hint(email) == meant


# --- what marketers see ---

PAIRS = [  # as they were registered, or shown by those who warned of them
    ("apple.com", "xn--80ak6aa92e.com"),
    ("paypal.com", "xn--pypal-4ve.com"),
    ("google.com", "xn--ggle-55da.com"),
    ("epic.com", "xn--e1awd7f.com"),
    ("facebook.com", "xn--fcebook-2fg.com"),
    ("coffee.com", "xn--cffee-rce.com"),
    ("acme.com", "xn--cme-5cd.com"),
    ("scope.com", "xn--e1argc3h.com"),
]
HONEST = [
    *("bücher.example", "müller.de", "straße.de", "españa.es", "københavn.dk", "łódź.pl"),
    *("пример.рф", "москва.рф", "россия.рф", "αβγδε.gr", "例え.jp", "日本google.jp", "한국.kr"),
    *("שלום.il", "مثال.eg", "भारत.in"),
]
"""Domains that look like themselves, in the letters of their own language."""


@pytest.mark.parametrize(("looks_like", "domain"), PAIRS)
def test_a_domain_made_to_look_like_another_is_flagged_and_shown_as_what_it_is(looks_like, domain):
    address = read_address(f"ann@{domain}")

    assert address.flags == ["idn", "lookalike"]
    assert address.shown == f"ann@{domain}"
    assert address.reads != f"ann@{looks_like}"
    assert read_address(f"ann@{looks_like}").flags == []


@pytest.mark.parametrize("domain", HONEST)
def test_a_domain_in_letters_of_its_own_is_no_lookalike_and_shown_in_punycode(domain):
    address = read_address(f"Ann@{domain}")

    assert address.flags == ["idn"]
    assert address.shown.isascii()
    assert address.shown.startswith("Ann@")
    assert read_address(address.shown).match_key == address.match_key
    assert address.reads == f"Ann@{domain}"


@given(st.text(max_size=30))
def test_whatever_a_domain_is_made_of_it_can_be_looked_at(domain):
    assert is_lookalike(domain) in {True, False}


@given(st.sampled_from([chr(0x430), chr(0x435), chr(0x43E), chr(0x440), chr(0x441), chr(0x3BF)]))
def test_one_foreign_letter_that_looks_plain_is_enough(letter):
    assert is_lookalike(f"micr{letter}soft.com")


def test_a_throw_away_domain_is_flagged_and_no_address_is_refused_for_it():
    assert read_address("ann@mailinator.com").flags == ["disposable"]
    assert read_address("ann@sub.mailinator.com").flags == ["disposable"]


@pytest.mark.parametrize(
    ("address", "other", "alike"),
    [
        ("a.n.n@example.com", "ann@example.com", True),
        ("ann+news@example.com", "a.nn+prices@example.com", True),
        ("ann@example.com", "ann@example.org", False),
        ("ann@example.com", "anne@example.com", False),
        ("+a@example.com", "+b@example.com", False),
        ("a.b+c+d@example.com", "ab@example.com", True),
    ],
)
def test_addresses_that_differ_by_dots_or_a_tag_are_alike_and_not_the_same(address, other, alike):
    assert (folded(address) == folded(other)) is alike
    assert read_address(address).match_key != read_address(other).match_key
