"""What Salesforce works out by itself of a record."""

from collections.abc import Mapping
from typing import Any

STAGES = {
    "Prospecting": 10,
    "Qualification": 10,
    "Needs Analysis": 20,
    "Value Proposition": 50,
    "Id. Decision Makers": 60,
    "Perception Analysis": 70,
    "Proposal/Price Quote": 75,
    "Negotiation/Review": 90,
    "Closed Won": 100,
    "Closed Lost": 0,
}
"""Per cent of each stage of a new org."""
WON, LOST = "Closed Won", "Closed Lost"
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "Lead": {"Status": "Open - Not Contacted"},
    "Task": {"Status": "Not Started", "Priority": "Normal", "TaskSubtype": "Task"},
    "Campaign": {"Status": "Planned"},
    "Event": {"EventSubtype": "Event", "ShowAs": "Busy"},
}


def staged(row: dict[str, Any]) -> None:
    """Let an opportunity be open or closed, and as probable, as its stage says."""
    stage = row.get("StageName")
    row |= {"IsClosed": stage in {WON, LOST}, "IsWon": stage == WON}
    if row.get("Probability") is None or row.get("_stage") != stage:
        row["Probability"] = STAGES.get(str(stage), 0)
    row["_stage"] = stage
