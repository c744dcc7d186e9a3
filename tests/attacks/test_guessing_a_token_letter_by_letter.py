"""
Guessing the token of a link or a cookie letter by letter, by the time its answer takes.

Where a program compares what was sent with what it keeps, it stops at the first letter that
differs; who measures often enough learns one letter after the other. Here nothing that is kept
is ever compared with what was sent: a hash is looked up, and the hash of a token that is right
up to its last letter is as far from the kept one as that of any other.
"""

import random
import secrets
import time
from datetime import UTC, datetime

import pytest

from regportal.identity.actions import proof_of
from regportal.identity.recognising import recognise
from regportal.library import actions as library
from regportal.store.tokens import hash_of
from tests.attacks.telling import auc

ANN = "ann@widgetworks.example"


@pytest.fixture
def tokens(portal):
    """What opens a door here, and how each is looked up."""
    ann = portal.browser()
    ann.claim(ANN, "prices")
    portal.work()
    proof = portal.link().rpartition("/")[2]
    ann.prove(portal)
    grant = ann.get("/g/prices/done").download.rpartition("/")[2]
    cookie = next(one.value for one in ann.client._cookies.values() if len(one.value) == 43)
    now = datetime.now(UTC)
    return {
        cookie: lambda session, token: recognise(session, token, now=now).visitor,
        proof: proof_of,
        grant: library.find,
    }


def nearly(token):
    """Return a token that is right up to its last letter but one."""
    return token[:-2] + ("AA" if token[-2:] != "AA" else "BB")


def samples(session, token, look_up, count):
    """Return how long nearly right tokens took, and others, one after the other by turns."""
    took = ([], [])
    for _ in range(count):
        guesses = [(0, nearly(token)), (1, secrets.token_urlsafe(32))]
        random.shuffle(guesses)
        for kind, guess in guesses:
            began = time.perf_counter()
            assert look_up(session, guess) is None
            took[kind].append(time.perf_counter() - began)
    return took


def test_a_token_that_is_nearly_right_is_nobodys(portal, tokens):
    with portal.store.read() as session:
        for token, look_up in tokens.items():
            assert look_up(session, token) is not None
            assert look_up(session, nearly(token)) is None


def test_the_hash_of_a_token_that_is_nearly_right_is_as_far_away_as_any():
    token = secrets.token_urlsafe(32)
    one, other = hash_of(token), hash_of(nearly(token))
    differ = sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True))

    assert 80 < differ < 176, "of 256 bits about half: SHA-256"


@pytest.mark.soak
def test_time_does_not_tell_what_is_nearly_right_from_what_is_not(portal, tokens):
    with portal.store.read() as session:
        for token, look_up in tokens.items():
            samples(session, token, look_up, 500)  # warm

            assert abs(auc(*samples(session, token, look_up, 25_000)) - 0.5) <= 0.02


@pytest.mark.soak
def test_a_comparison_that_stops_early_would_be_seen(portal, tokens):
    """What is told apart is small; a naive comparison of a hundred kept tokens shows."""
    token = next(iter(tokens))

    def naive(session, guess):
        del session
        for _ in range(100):
            for ours, theirs in zip(token, guess, strict=True):
                if ours != theirs:
                    break

    assert auc(*samples(None, token, naive, 5_000)) > 0.9
