"""Reading forms of the Studio as a browser does."""

import html
import re

CONTROL = re.compile(r"<(input|select|option)\b([^>]*)>")
TEXTAREA = re.compile(r"<textarea\b([^>]*)>([^<]*)</textarea>")


def attribute(text, name):
    found = re.search(rf'\b{name}="([^"]*)"', text)
    return html.unescape(found[1]) if found else None


def form_of(page, begins="data-check"):
    """What a browser would send of the form that has this in its tag."""
    fields, select = [], ""
    body = page.text[page.text.index(begins) :]
    body = body[: body.index("</form>")]
    for tag, rest in CONTROL.findall(body):
        name, value = attribute(rest, "name"), attribute(rest, "value") or ""
        if tag == "select":
            select = name
        elif tag == "option":
            if re.search(r"\bselected\b", rest):
                fields.append((select, value))
        elif (name and attribute(rest, "type") != "checkbox") or "checked" in rest:
            fields.append((name, value))
    for rest, text in TEXTAREA.findall(body):
        fields.append((attribute(rest, "name"), html.unescape(text)))
    sent = {}
    for name, value in fields:
        sent.setdefault(name, []).append(value)
    return sent


def plain(page):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)))
