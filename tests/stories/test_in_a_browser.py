"""The product, told once from end to end: a marketing page, a mailbox, a CRM, a real browser."""

import time
from collections import defaultdict

from playwright.sync_api import expect

from tests.browsing import go

EMAIL = "ann@widgetworks.example"
FILE = "a[data-rp=download]"
GO = "form[data-rp=gate] button"
CONTACT = [
    "key",
    "email",
    "assurance",
    "account",
    "answers",
    "claims",
    "consents",
    "interactions",
    "opportunities",
]
OPPORTUNITY = [
    "key",
    "external_id",
    "name",
    "phase",
    "since",
    "reason",
    "evidence",
    "contacts",
    "open",
    "won",
]
VISIT = 1.2  # seconds after which a visit has ended


def test_a_price_list_moves_the_opportunity_to_comparison(page, installation):
    crm, gate = installation.crm, page.locator("regportal-gate")
    deal = {"external_id": "006A", "name": "Widgets for Leeds", "stage": "Qualification"}
    role = {"opportunity": "006A", "email": EMAIL, "role": "Buyer", "is_primary": True}
    assert crm.tell(installation.url, "opportunity.upserted", deal) == 202
    assert crm.tell(installation.url, "contact_role.added", role) == 202

    # First visit: the address, on the company's own page, and the guide at once.
    go(page, f"{installation.marketing}/guide")
    gate.locator("input[name=email]").fill("Ann@Widgetworks.example")
    expect(gate.locator("[data-rp=question]")).to_have_count(0)
    gate.locator("input[name=n-widget-prices]").check()
    with page.expect_download() as guide:
        gate.locator("button[name=remember][value=yes]").click()
    assert guide.value.path().read_bytes() == installation.file("guide.pdf")
    installation.link(1)
    [claimed] = crm.wait_for("contact.claimed")
    assert claimed.data["claim"]["email"] == EMAIL.replace("ann", "Ann")

    # Second visit: one question.
    time.sleep(VISIT)
    go(page, f"{installation.marketing}/guide")
    expect(gate.locator("input[name=email]")).to_have_count(0)
    gate.locator("[data-question=country] select").select_option("DE")
    gate.locator(GO).first.click()
    gate.locator(FILE).wait_for()

    # Third visit: another question, and the price list by mail.
    time.sleep(VISIT)
    go(page, f"{installation.marketing}/prices")
    gate.locator("[data-question=company] input").fill("Widget Works Ltd")
    gate.locator(GO).first.click()
    expect(gate.locator("[data-rp=mailed]")).to_be_visible()
    assert crm.told("phase.changed") == []
    assert installation.show("opportunity", "crm:006A")["phase"] == "unaware"

    # The mail: its page shows what was claimed, and nothing happens before the press.
    go(page, installation.link(2))
    for shown in ("All prices", "Germany", "Widget Works Ltd", "Widget price alerts"):
        expect(page.locator("dl.facts")).to_contain_text(shown)
    assert crm.told("contact.identified") == []
    with page.expect_download() as prices:
        page.locator("button[data-rp=confirm]").click()
    assert prices.value.path().read_bytes() == installation.file("prices.pdf")
    [moved] = crm.wait_for("phase.changed")

    check_what_was_told(crm, moved)
    check_what_is_shown(installation, moved)


def check_what_was_told(crm, moved):
    """The CRM was told everything once, in order, and signed."""
    crm.wait_for("interaction.recorded", 3)
    [identified] = crm.wait_for("contact.identified")
    [consent] = crm.wait_for("consent.changed")
    asked = {one.data["interaction"]["object"]: one for one in crm.told("interaction.recorded")}

    assert crm.forged == []
    assert len({one.id for one in crm.news}) == len(crm.news)
    assert moved.data["opportunity"]["external_id"] == "006A"
    assert (moved.data["from"], moved.data["to"]) == ("unaware", "comparison")
    assert EMAIL in moved.data["reason"].lower()
    assert moved.data["evidence"] == [asked["price-list"].data["id"]]
    assert asked["price-list"].data["opportunities"] == ["006A"]
    assert identified.data["contact"]["assurance"] == "verified"
    assert identified.data["fields"]["country"]["value"] == "DE"
    assert identified.data["fields"]["Account.Name"]["value"] == "Widget Works Ltd"
    assert (consent.data["newsletter"], consent.data["state"]) == ("widget-prices", "confirmed")
    counted = defaultdict(list)
    for one in crm.news:
        counted[one.subject].append(one.data["sequence"])
    assert {subject: [*range(1, len(all_) + 1)] for subject, all_ in counted.items()} == counted


def check_what_is_shown(installation, moved):
    """The commands say so too, with the keys of the contract."""
    contact = installation.show("contact", EMAIL)
    opportunity = installation.show("opportunity", "crm:006A")
    download = {"type": "download", "attribution": "verified", "judged": "person"}

    assert [*contact] == CONTACT
    assert [*opportunity] == OPPORTUNITY
    assert (contact["email"].lower(), contact["assurance"]) == (EMAIL, "verified")
    assert [(one["question"], one["value"], one["assurance"]) for one in contact["answers"]] == [
        ("country", "DE", "verified"),
        ("company", "Widget Works Ltd", "verified"),
    ]
    assert [*contact["answers"][0]] == [
        *("question", "value", "assurance", "wording", "gate", "answered_at", "asked_because")
    ]
    [claim] = contact["claims"]
    assert [*claim] == ["id", "state", "opened_at", "answers", "interactions"]
    assert claim["state"] == "confirmed"
    [consent] = contact["consents"]
    assert [*consent] == ["newsletter", "state", "wording", "since", "evidence_id"]
    assert consent["wording"] == "Send me widget price alerts, about once a month."
    assert [one["object"] for one in contact["interactions"]] == ["guide", "guide", "price-list"]
    for one in contact["interactions"]:
        assert [*one] == [
            *("id", "type", "object", "category", "occurred_at", "attribution", "judged")
        ]
        assert one | download == one
        assert one["occurred_at"].endswith("Z")
    [deal] = contact["opportunities"]
    assert deal == {
        "key": opportunity["key"],
        "connector": "crm",
        "external_id": "006A",
        "phase": "comparison",
        "role": "Buyer",
    }
    assert opportunity["phase"] == "comparison"
    assert opportunity["reason"] == moved.data["reason"]
    assert opportunity["evidence"] == [contact["interactions"][-1]["id"]]
    assert [(one["email"].lower(), one["role"]) for one in opportunity["contacts"]] == [
        (EMAIL, "Buyer")
    ]
    assert (opportunity["open"], opportunity["won"]) == (True, False)
