"""Three calls of ten go wrong in fourteen ways, and the CRM holds what it was told (R-03, R-04)."""

import contextlib
import uuid

import pytest

from tests.connectors.unlucky import Told, Unlucky, in_order, without_repeats
from tests.connectors.worlds import dynamics, hubspot, salesforce

WORLDS = {
    "dynamics": (dynamics.dynamics, dynamics.unlucky),
    "hubspot": (hubspot.hubspot, hubspot.unlucky),
    "salesforce": (lambda: contextlib.closing(salesforce.SalesforceWorld()), salesforce.unlucky),
}
"""How a made CRM is begun, and a connector to it that does not wait for long."""
WAVES = 6


@pytest.mark.parametrize("name", WORLDS)
def test_nothing_is_lost_doubled_or_out_of_order(store, name):
    begun, connector = WORLDS[name]
    people = {str(uuid.uuid4()): f"visitor-{number}@acme.example" for number in range(8)}
    told = Told()
    with begun() as world:
        deals = [world.opportunity(name=f"deal {number}") for number in range(3)]
        box = Unlucky(store, connector(world), world, seed=20261123)
        box.owe(people, deals, told, waves=WAVES)
        box.work_off()
        box.connector.close()
        left, met = world.sandbox.luck.coming, [one.fault for one in world.sandbox.seen]
        history = [world.history(deal, "buying_phase") for deal in deals]
        everybody = [world.people(email) for email in people.values()]
        notes = [world.notes(id) for (id,) in everybody]
        countries = [world.history(id, "country") for (id,) in everybody]
        by_id = {id: email for (id,), email in zip(everybody, people.values(), strict=True)}
        wants = {world.wants(id, email, "prices") for id, email in by_id.items()}
        fits = {float(world.field(id, "regportal_fit")) for id in by_id}

    assert left == []
    assert any(met)
    assert [len(ids) for ids in everybody] == [1] * len(people)
    seen = [[text.splitlines()[0].removeprefix("Downloaded ") for text in of] for of in notes]
    assert seen == [told.deeds[email] for email in people.values()]
    for phases, deal in zip(history, deals, strict=True):
        assert phases[-1] == told.phases[deal][-1]
        assert in_order(without_repeats(phases), told.phases[deal])
    for said, email in zip(countries, people.values(), strict=True):
        assert said[-1] == told.countries[email][-1]
        assert in_order(said, told.countries[email])
    assert wants == {WAVES % 2 == 1}
    assert fits == {10.0 + WAVES - 1}
