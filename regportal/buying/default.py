"""
The model that holds where nobody has published one.

It reads the past of a purchase from what a customer took, and claims no more than that:

- **unaware** is where everybody begins. We know nothing yet.
- **stalled** is where nobody arrives from below: a customer who was on the way falls back to it
  when he has gone silent. Whatever he took before is spent; one new sign, and he climbs again.
- **interest**: took or read one thing at all. It says that the subject matters, to somebody. After
  half a year of silence it no longer says even that: he is unaware again.
- **exploration**: came back for a second paper within three months. One download is curiosity;
  two are a search. It has stalled when as long a time has passed without any sign.
- **comparison**: took a price list or a quote, or went back to prices again and again. Prices
  are what one needs to hold suppliers against each other. 45 days, because older prices are
  asked for anew; for the same reason it has stalled after 45 silent days.
- **decision**: took an order form or a contract. Nobody does that idly, and nobody who does is
  silent for 45 days unless something holds him up. Where a site offers neither, this phase is
  left to people: no download proves a decision.

Silence means of everybody: as long as one of the group does anything at all, nothing falls. Won and
lost are no phases here: the CRM says so, and the phase stays what it was when that was said.

The windows and counts are judgement, not measurement: they are where a company starts that has
not yet looked at its own history. An exit is never shorter than what lets one in, so that nobody
is out again by the sign that brought him.
"""

from regportal.buying.schema import AtLeast, Buying, Condition, Enter, Phase, Where
from regportal.buying.vocabulary import Quiet
from regportal.store.words import N_


def _silent(long: str) -> Enter:
    """Return the exit of whom nothing was heard for so long."""
    return Enter(any=(Condition(quiet=Quiet(span=long)),))


DEFAULT = Buying(
    phases=(
        Phase(id="unaware", label=N_("Unaware")),
        Phase(id="stalled", label=N_("Stalled")),
        Phase(
            id="interest",
            label=N_("Interest"),
            enter=Enter(
                any=(
                    Condition(event="download", within="180d"),
                    Condition(
                        event="page_view",
                        where=Where(category=("paper", "case-study", "product")),
                        within="180d",
                    ),
                )
            ),
            exit=_silent("180d"),
            falls_to="unaware",
        ),
        Phase(
            id="exploration",
            label=N_("Exploration"),
            enter=Enter(
                any=(
                    Condition(
                        event="download",
                        where=Where(category=("paper", "case-study")),
                        count=AtLeast(at_least=2),
                        within="90d",
                    ),
                )
            ),
            exit=_silent("90d"),
            falls_to="stalled",
        ),
        Phase(
            id="comparison",
            label=N_("Comparison"),
            enter=Enter(
                any=(
                    Condition(
                        event="download",
                        where=Where(category=("price-list", "quote")),
                        within="45d",
                    ),
                    Condition(event="price_lookup", count=AtLeast(at_least=3), within="14d"),
                )
            ),
            exit=_silent("45d"),
            falls_to="stalled",
        ),
        Phase(
            id="decision",
            label=N_("Decision"),
            enter=Enter(
                any=(
                    Condition(
                        event="download",
                        where=Where(category=("order-form", "contract")),
                        within="45d",
                    ),
                )
            ),
            exit=_silent("45d"),
            falls_to="stalled",
        ),
    )
)
