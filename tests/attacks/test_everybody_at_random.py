"""
Everything at once, in any order.

Each attack of this folder is one idea. This one has none: a victim who uses the site, an
attacker who knows her address and tries whatever the pages offer, a marketer who publishes and
a CRM that talks, for thousands of steps at random. After each step nothing the victim told has
come back to the attacker, nothing of hers has changed but by her own hand, and no browser but
hers is taken for her.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from regportal.forms import deciding
from regportal.identity.models import Visitor
from tests.attacks.model import Everybody
from tests.portal import SECRET

STEPS = 50


def play(new_database, monkeypatch, steps, **more):
    monkeypatch.setenv("CRM_SECRET", SECRET)
    run_state_machine_as_test(
        lambda: Everybody(new_database()),
        settings=settings(
            max_examples=steps // STEPS,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="CI" in os.environ,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


def test_hundreds_of_steps_leak_and_change_nothing(new_database, monkeypatch, request):
    on_sqlite = "sqlite" in request.node.name

    play(new_database, monkeypatch, 200 if on_sqlite else 50)


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_a_hole_that_is_planted_is_found(new_database, monkeypatch):
    """Whoever presses yes proves the browser that claimed, as other products do it."""
    pressing = deciding._pressing

    def careless(session, claim, *tokens, now):
        deciding.verify(session.get(Visitor, claim.visitor_id), claim, now=now)
        return pressing(session, claim, *tokens, now=now)

    monkeypatch.setattr(deciding, "_pressing", careless)

    with pytest.raises(AssertionError):
        play(new_database, monkeypatch, 1_000, database=None, phases=(Phase.generate,))


@pytest.mark.soak
def test_twenty_thousand_steps_leak_and_change_nothing(new_database, monkeypatch):
    play(new_database, monkeypatch, 10_000)
