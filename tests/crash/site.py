"""The site that the crash tests run: one gate, many questions, a CRM that hears everything."""

SECRET = "whsec_" + "Y3Jhc2gtdGVzdC1zZWNyZXQtMzItYnl0ZXMtbG9uZyE="
QUESTIONS = [f"note-{number}" for number in range(6)]


def documents(crm: str) -> str:
    """Return the YAML of the site; ``crm`` is where its webhooks go."""
    questions = "\n".join(
        f"  - key: {key}\n    label: What should we note as {key}?\n    type: text"
        for key in QUESTIONS
    )
    return f"""
site:
  name: Acme Products
  controller: Acme Products Ltd, 1 High Street, Leeds
  privacy_notice: https://www.acme.example/privacy
newsletters:
  - key: widget-prices
    title: Widget price alerts
    topics: [widgets]
    wording: Send me widget price alerts, about once a month.
    frequency: monthly
questions:
{questions}
assets:
  - key: price-list
    title: Price list
    category: price-list
    topics: [widgets]
    file: price-list.txt
gates:
  - key: prices
    asset: price-list
    headline: All prices on two pages
    questions: [{", ".join(QUESTIONS)}]
    newsletters: [widget-prices]
    delivery: instant
    per_visit: 20
connectors:
  - key: crm
    type: webhook
    url: {crm}
    secret: env:CRM_SECRET
"""
