"""The five steps of the demo, which tick themselves off as they happen."""

from collections.abc import Sequence
from dataclasses import dataclass

from regportal.cli.demo.crm import Book


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do, where, and what it shows."""

    title: str
    do: str
    shows: str
    where: str
    button: str


STEPS: Sequence[Step] = (
    Step(
        "Give a little, get the buyer's guide",
        "On the Acme site, type an e-mail address into the gate, such as ann@widgetworks.example,"
        " and let this browser remember you. Answer the consent banner as you like, or leave it."
        " No mail leaves this computer.",
        "The file is yours at once, for an address and nothing more. Anybody could have typed it,"
        " so in the CRM it is a claim. Its mail can wait.",
        "/#guide",
        "Open the Acme site",
    ),
    Step(
        "Be part of a deal",
        "Sales happens to be talking to the same company. In the CRM, open an opportunity with"
        " your address.",
        "Its buying phase does not move: what is only claimed proves nothing about anybody.",
        "/crm",
        "Open the CRM",
    ),
    Step(
        "Come back tomorrow",
        "Press “Come back tomorrow” in the bar above, then take the customer story on the Acme"
        " site.",
        "You are asked one question, with its reason, and you may decline. Never two in one visit.",
        "/customers",
        "Open the customer story",
    ),
    Step(
        "Ask for the price list",
        "Come back tomorrow once more, and ask for the prices.",
        "One question more. This file goes by mail, because Acme wants to know who reads it.",
        "/prices",
        "Open the prices",
    ),
    Step(
        "Say that it was you",
        "In the mailbox, follow the link of the newest mail and press “Yes, this was me”.",
        "The price list is yours. Within a second the claim is a contact with all its answers, and"
        " the opportunity is in “comparison”: who asks for prices compares suppliers. The pages"
        " you read are in the CRM only if you said Yes to the banner.",
        "/mailbox",
        "Open the mailbox",
    ),
)


def done(book: Book) -> Sequence[bool]:
    """
    Return which of the five steps have happened, from what reached the CRM.

    Who declines a question has answered it when the rest has happened.

    >>> done(Book())
    [False, False, False, False, False]
    """
    people, deals = book.people(), book.deals.values()
    answered = max((len(person.fields) for person in people), default=0)
    moved = any(deal.phase in {"comparison", "decision"} for deal in deals)
    return [bool(people), bool(deals), moved or answered > 0, moved or answered > 1, moved]
