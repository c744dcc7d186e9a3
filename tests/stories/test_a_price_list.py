"""The product, told once from end to end without a browser."""

from datetime import timedelta

import time_machine

LATER = timedelta(days=1)


def test_a_price_list_moves_the_opportunity_to_comparison(portal):
    ann = portal.browser()
    portal.hook(
        "opportunity.upserted",
        {"external_id": "006A", "name": "Widgets for Leeds", "stage": "Qualify"},
    )
    portal.hook(
        "contact_role.added",
        {"opportunity": "006A", "email": "ann@widgetworks.example", "role": "Buyer"},
    )

    ann.claim("Ann@Widgetworks.example", "prices")
    portal.work()
    assert portal.news("phase.changed") == []

    page = ann.prove(portal)
    assert page.headers["Location"] == "/g/prices/done"
    file = ann.get(ann.get("/g/prices/done").download)
    assert file.text == "This is list.txt.\n"

    portal.work()
    [moved] = portal.news("phase.changed")
    assert (moved["from"], moved["to"]) == ("unaware", "comparison")
    assert moved["opportunity"]["external_id"] == "006A"
    assert "ann@widgetworks.example" in moved["reason"].lower()
    [interaction] = portal.news("interaction.recorded")
    assert moved["evidence"] == [interaction["id"]]
    assert interaction["opportunities"] == ["006A"]


def test_every_return_asks_one_thing_more(portal):
    ann = portal.browser()
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        assert ann.gate("guide").asks_email
        ann.claim("ann@widgetworks.example")
        portal.work()
        ann.prove(portal)
        portal.work()

        clock.shift(LATER)
        page = ann.gate("guide")
        assert page.question == "country"
        ann.send("guide", page, q_country="DE")
        portal.work()

        clock.shift(LATER)
        page = ann.gate("guide")
        assert page.question == "company"
        ann.send("guide", page, q_company="Widget Works")
        portal.work()

    told = portal.news("contact.updated")[-1]
    assert told["fields"]["country"]["value"] == "DE"
    assert told["fields"]["Account.Name"]["value"] == "Widget Works"
    assert told["contact"]["assurance"] == "verified"
