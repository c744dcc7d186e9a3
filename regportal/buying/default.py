"""
The model that holds where nobody has published one.

It reads the past of a purchase from what a customer took, and claims no more than that:

- **unaware** is where everybody begins. We know nothing yet.
- **interest**: took or read one thing at all. It says that the subject matters, to somebody.
- **exploration**: came back for a second paper within three months. One download is curiosity;
  two are a search.
- **comparison**: took a price list or a quote, or went back to prices again and again. Prices
  are what one needs to hold suppliers against each other. 45 days, because older prices are
  asked for anew.
- **decision**: took an order form or a contract. Nobody does that idly. Where a site offers
  neither, this phase is left to people: no download proves a decision.

The windows and counts are judgement, not measurement: they are where a company starts that has
not yet looked at its own history.
"""

from regportal.buying.schema import AtLeast, Buying, Condition, Enter, Phase, Where

DEFAULT = Buying(
    phases=(
        Phase(id="unaware", label="Unaware"),
        Phase(
            id="interest",
            label="Interest",
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
        ),
        Phase(
            id="exploration",
            label="Exploration",
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
        ),
        Phase(
            id="comparison",
            label="Comparison",
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
        ),
        Phase(
            id="decision",
            label="Decision",
            enter=Enter(
                any=(
                    Condition(
                        event="download",
                        where=Where(category=("order-form", "contract")),
                        within="45d",
                    ),
                )
            ),
        ),
    )
)
