"""What the documentation says and shows of the Studio is what it is."""

import re
from pathlib import Path

from regportal.accounts.roles import GRANTED, PERMISSIONS, Role
from regportal.studio.menu import MENU
from tools.studio_pictures import GALLERY, LOOKS, PAGES, WHERE, gallery

PAGE = (Path(__file__).parents[2] / "docs" / "studio.md").read_text(encoding="utf-8")
NO_PAGES = {"security.logout", "security.wan_delete", "companies.shown"}
"""What answers no page: what leads elsewhere, and an account without its key."""


def test_the_table_of_roles_is_the_one_of_the_program():
    rows = re.findall(r"^\| `([a-z]+)` \|[^|]+\| ([^|]+) \|$", PAGE, re.MULTILINE)

    assert {name: set(re.findall(r"`([a-z]+)`", may)) for name, may in rows} == {
        role.value: {one.value for one in GRANTED[role]} for role in Role
    }


def test_every_permission_is_explained_as_the_program_does():
    told = dict(re.findall(r"^- `([a-z]+)`: (.+)$", PAGE, re.MULTILINE))

    assert told == {one.value: says for one, says in PERMISSIONS.items()}


def test_every_page_that_an_address_opens_is_looked_at(company):
    policies = company.studio.extensions["regportal.policies"]
    opened = {
        rule.rule
        for rule in company.studio.url_map.iter_rules()
        if "GET" in rule.methods and not rule.arguments and rule.endpoint not in NO_PAGES
        if not (policies[rule.endpoint].is_open or policies[rule.endpoint].is_closed)
    }

    assert opened - set(PAGES.values()) == set()


def test_every_line_of_the_menu_leads_to_a_page_that_is_there(company):
    endpoints = [entry.endpoint for group in MENU for entry in group.entries]

    assert set(endpoints) <= set(company.studio.view_functions)
    assert len({one.partition(".")[0] for one in endpoints}) == len(endpoints)


def test_there_is_a_picture_of_every_page_in_every_look_and_of_nothing_else():
    assert GALLERY.read_text(encoding="utf-8") == gallery()
    assert {one.name for one in WHERE.iterdir()} == {
        f"{name}-{look}.webp" for name in PAGES for look in LOOKS
    }
