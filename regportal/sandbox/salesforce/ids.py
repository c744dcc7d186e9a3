"""The ids of Salesforce: 15 characters in which case counts, and 3 that let case not matter."""

import re

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHORT, LONG = 15, 18
ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def with_check(short: str) -> str:
    """
    Return the 18 characters of an id of 15.

    >>> with_check("0010000000abcDe")
    '0010000000abcDeAAI'
    """
    groups = (short[first : first + 5] for first in range(0, SHORT, 5))
    bits = (sum(one.isupper() << place for place, one in enumerate(group)) for group in groups)
    return short + "".join(LETTERS[one] for one in bits)


def whole(id: str) -> str | None:
    """
    Return an id in 18 characters, however it is written; None where it is none.

    >>> whole("0010000000abcDe"), whole("999")
    ('0010000000abcDeAAI', None)
    """
    if not ID.fullmatch(id):
        return None
    return with_check(id[:SHORT]) if len(id) == SHORT else id


def made(prefix: str, number: int) -> str:
    """
    Return the id of the n-th record of a kind.

    >>> made("003", 62)
    '003Rp0000000010IAA'
    """
    text = ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return with_check(f"{prefix}Rp0{text:0>9}")
