"""Keys of a keyboard, as WebDriver names them."""

TAB, ENTER, END = "\ue004", "\ue007", "\ue010"


def strokes(text: str) -> list[dict]:
    """Return what a browser is asked so that somebody types a text, key by key."""
    pressed = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
    return [{"type": "key", "id": "keyboard", "actions": pressed}]
