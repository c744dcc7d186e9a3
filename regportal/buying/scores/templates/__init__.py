"""Scores to start from: one for each of the four questions that companies ask first."""

from importlib import resources

TEMPLATES = {
    "prioritise": "whom to call first today",
    "route": "who should look after somebody",
    "nurture": "who wants to read more, and not talk yet",
    "qualify": "whether sales should take somebody on",
}
"""What each is for."""


def template_of(name: str) -> str:
    """Return a template as a marketer would write it, with its comments."""
    return (resources.files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
