"""The Studio in a real browser: read by everybody, in light and dark, and signed in by passkeys."""

import contextlib
import re

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from regportal.accounts.models import StudioSession
from tests.browsing import go
from tests.portal import SITE, served
from tests.studio.elsewhere import Pretended, real, settings_of
from tests.studio.looking import EXTREMES, Watched, faults, is_wider_than_the_window, sign_in
from tests.studio.staff import PASSWORD, Company
from tools.ports import free_port
from tools.studio_pictures import PAGES

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def studio(database_url, tmp_path):
    """An installation that is served, with an owner and a colleague; and the Studio's address."""
    with served(database_url, tmp_path, SITE) as (portal, url):
        company = Company(portal)
        company.hire("ann@acme.example", "owner", "marketer", name="Ann Example")
        company.hire("bo@acme.example", "seller", name="بو مثال")
        yield company, f"{url}/studio"


@pytest.mark.parametrize(("theme", "size"), EXTREMES)
def test_every_page_can_be_read_by_everybody(studio, page, theme, size):
    _, address = studio
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    watched, found = Watched(page, address), {}
    sign_in(page, address)
    for name, path in PAGES.items():
        if name == "login":
            page.context.clear_cookies()
        go(page, f"{address}{path}")
        found[path] = faults(page)
        assert not is_wider_than_the_window(page), path

    assert {path: what for path, what in found.items() if what} == {}
    assert page.evaluate("document.documentElement.dataset.bsTheme") == theme
    watched.check()


def test_the_pages_after_a_button_can_be_read_too(studio, page):
    company, address = studio
    watched = Watched(page, address)
    sign_in(page, address)
    go(page, f"{address}/tf-setup")
    page.get_by_role("button", name="Set up my phone").click()
    expect(page.get_by_role("img")).to_be_visible()
    assert faults(page) == []
    go(page, f"{address}/mf-recovery-codes")
    page.get_by_role("button", name="Make ten new codes").click()
    expect(page.locator(".codes li")).to_have_count(10)
    assert faults(page) == []
    go(page, f"{address}/people/{company.user('bo@acme.example').id}")
    assert faults(page) == []
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_label("Link")).to_have_value(re.compile(r"/studio/welcome/"))
    assert faults(page) == []
    welcome = page.get_by_label("Link").input_value()
    watched.check()
    page.context.clear_cookies()
    go(page, welcome)

    assert faults(page) == []


def test_a_page_that_is_not_there_says_so_without_a_script(studio, page):
    _, address = studio
    sign_in(page, address)
    go(page, f"{address}/nowhere")

    expect(page.get_by_role("heading")).to_have_text("There is nothing here")
    assert faults(page) == []
    assert page.locator("script").count() == 0


def test_signing_in_by_the_keyboard_alone(studio, page):
    _, address = studio
    go(page, f"{address}/login")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type("ann@acme.example")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".bar")).to_be_visible()
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    assert focused == "To the content"
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_menu_holds_what_somebody_may_open_and_every_entry_leads_there(studio, page):
    _, address = studio
    sign_in(page, address)
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    names = links.all_text_contents()
    for name in names:
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        expect(page.get_by_role("main")).to_be_visible()
        assert page.locator("[aria-current=page]").first.text_content() == name
    sign_out(page)
    sign_in(page, address, "bo@acme.example")

    assert names == [
        *("Overview", "Numbers", "Gates", "Questions", "Visit simulator", "Phases and scores"),
        *(
            "Opportunities",
            "Contacts",
            "Accounts",
            "Connectors",
            "Outbox",
            "People of the Studio",
            "Audit log",
        ),
    ]
    assert links.all_text_contents() == [
        "Overview",
        "Phases and scores",
        "Opportunities",
        "Contacts",
        "Accounts",
    ]


def tab_to(page, what):
    """Press Tab until something has the focus, by the name or the text it has."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if what in page.evaluate("(e => [e.name, e.textContent.trim()])(document.activeElement)"):
            return
    raise AssertionError(what)


def test_a_connector_is_paused_asked_and_resumed_by_the_keyboard_alone(studio, page):
    _, address = studio
    watched = Watched(page, address)
    sign_in(page, address)
    go(page, f"{address}/connectors")
    tab_to(page, "crm")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="crm")).to_be_visible()
    tab_to(page, "because")
    page.keyboard.type("the audit")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is told nothing until somebody resumes it.")).to_be_visible()
    assert faults(page) == []
    tab_to(page, "Are we let in, and is every field there?")
    page.keyboard.press("Enter")
    expect(page.locator("#asked")).to_be_visible()
    assert faults(page) == []
    tab_to(page, "Resume")
    page.keyboard.press("Enter")

    expect(page.get_by_text("It is spoken to again.")).to_be_visible()
    watched.check()


def sign_out(page):
    page.locator(".user summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_label("Password", exact=True)).to_be_visible()


def test_in_german_and_from_the_right(studio, browser):
    _, address = studio
    for language, button, direction in (("de", "Anmelden", "ltr"), ("ar", "تسجيل الدخول", "rtl")):
        with contextlib.closing(browser.new_context(locale=language)) as context:
            foreign = context.new_page()
            watched = Watched(foreign, address)
            go(foreign, f"{address}/login")

            expect(foreign.get_by_role("button", name=button, exact=True)).to_be_visible()
            assert foreign.evaluate("getComputedStyle(document.body).direction") == direction
            assert faults(foreign) == []
            watched.check()


def test_a_list_follows_its_filters_without_loading_the_page_anew(studio, page):
    company, address = studio
    watched = Watched(page, address)
    sign_in(page, address)
    go(page, f"{address}/audit")
    page.evaluate("window.same = true")
    rows = page.locator("[data-rp=row]")
    before = rows.count()
    page.get_by_label("What").focus()
    page.get_by_label("Who").select_option("bo@acme.example")
    expect(page.get_by_text("Nothing here is like that.")).to_be_visible()
    assert f"by={company.user('bo@acme.example').id}" in page.url
    assert faults(page) == []
    page.get_by_role("link", name="Show everything").click()
    expect(rows).to_have_count(before)
    page.go_back()

    expect(page.get_by_text("Nothing here is like that.")).to_be_visible()
    assert before > 0
    watched.check()


def test_who_is_signed_out_meanwhile_is_led_to_the_sign_in_and_back(studio, page):
    company, address = studio
    sign_in(page, address)
    go(page, f"{address}/audit")
    company.store.write(lambda session: session.execute(sa.delete(StudioSession)))
    page.get_by_label("What").select_option("invite")
    expect(page.locator("body.entry")).to_be_visible()
    page.get_by_label("E-mail address").fill("ann@acme.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_label("What")).to_have_value("invite")


def test_the_simulator_follows_each_choice_by_the_keyboard_alone(studio, page):
    _, address = studio
    watched = Watched(page, address)
    sign_in(page, address)
    go(page, f"{address}/simulator")
    page.evaluate("window.same = true")
    visits = page.locator("[data-rp=visit]")
    expect(visits).to_have_count(6)
    first = page.frame_locator("iframe").first.get_by_label("Your e-mail address")
    expect(first).to_be_visible()
    page.get_by_label("How often").focus()
    page.keyboard.type("2")
    expect(visits).to_have_count(2)
    page.get_by_label("Visit 2: What he does").focus()
    page.keyboard.type("Would")

    expect(visits.nth(1)).to_contain_text("would rather not say, gets the file at once")
    assert "visits-1-does=decline" in page.url
    assert page.evaluate("window.same")
    assert faults(page) == []
    go(page, page.locator("iframe").nth(1).get_attribute("src"))
    assert faults(page) == []
    assert page.locator("script").count() == 0
    watched.check()


def test_the_simulator_without_a_script(studio, browser):
    _, address = studio
    with contextlib.closing(browser.new_context(java_script_enabled=False)) as context:
        page = context.new_page()
        sign_in(page, address)
        go(page, f"{address}/simulator")
        page.get_by_label("How often").select_option("3")
        page.get_by_label("Seen").select_option("On a phone")
        page.get_by_role("button", name="Show the visits").click()

        expect(page.locator("[data-rp=visit]")).to_have_count(3)
        assert page.locator("iframe").first.bounding_box()["width"] < 300


@pytest.fixture
def authenticator(page):
    """A passkey's device, made by the browser."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def add_passkey(page, address, usage, name="My phone"):
    go(page, f"{address}/wan-register")
    page.get_by_label("A name for it").fill(name)
    page.get_by_label(usage).check()
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_text("From now on you may sign in with it.")).to_be_visible()


@pytest.mark.usefixtures("authenticator")
def test_a_passkey_in_the_place_of_the_password(studio, page):
    company, address = studio
    watched = Watched(page, address)
    sign_in(page, address)
    add_passkey(page, address, "Instead of the password")
    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.locator(".bar")).to_be_visible()
    assert company.deeds()[-1] == "passkey-add"
    watched.check()


@pytest.mark.usefixtures("authenticator")
def test_a_passkey_after_the_password(studio, page):
    _, address = studio
    watched = Watched(page, address)
    sign_in(page, address)
    add_passkey(page, address, "After the password")
    sign_out(page)
    page.get_by_label("E-mail address").fill("ann@acme.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Your passkey")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()

    expect(page.locator(".bar")).to_be_visible()
    watched.check()


@pytest.mark.usefixtures("authenticator")
def test_a_passkey_of_somebody_who_is_disabled_opens_nothing(studio, page):
    company, address = studio
    company.hire("cy@acme.example", "owner", name="Cy")
    sign_in(page, address)
    add_passkey(page, address, "Instead of the password")
    sign_out(page)
    company.disable("ann@acme.example")
    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_role("alert")).to_have_text("This passkey opens nothing here.")
    assert company.sessions() == []


@pytest.mark.usefixtures("authenticator")
def test_a_passkey_that_was_deleted_opens_nothing(studio, page):
    _, address = studio
    sign_in(page, address)
    add_passkey(page, address, "Instead of the password")
    page.get_by_role("link", name=re.compile("Change.*Passkeys")).click()
    page.get_by_role("button", name=re.compile("Delete.*My phone")).click()
    expect(page.get_by_text("The passkey opens nothing any more.")).to_be_visible()
    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_role("alert")).to_have_text("This passkey opens nothing here.")


def test_the_whole_round_to_the_companys_provider_and_back(database_url, tmp_path, page):
    port, listening = free_port(), free_port()
    url = f"http://localhost:{listening}"
    with real(port, f"{url}/studio/sso/back") as issuer:
        settings = settings_of(issuer)
        with served(database_url, tmp_path, SITE, port=listening, **settings) as (portal, _):
            company, address = Company(portal), f"{url}/studio"
            company.hire("ann@acme.example", "owner", name="Ann Example")
            refused = []
            page.on("console", lambda said: refused.append(said.text))
            go(page, f"{address}/people")
            assert faults(page) == []
            page.get_by_role("button", name="Sign in with Acme").click()
            page.get_by_placeholder("Enter any login").fill("ann@acme.example")
            page.get_by_placeholder("and password").fill("x")
            page.get_by_role("button", name="Sign-in").click()
            page.get_by_role("button", name="Continue").click()
            expect(page.get_by_role("heading", name="People of the Studio")).to_be_visible()
            go(page, f"{address}/people/invite")
            assert faults(page) == []
            page.get_by_role("button", name="Sign in with Acme").click()
            page.get_by_placeholder("Enter any login").fill("ann@acme.example")
            page.get_by_placeholder("and password").fill("x")
            page.get_by_role("button", name="Sign-in").click()
            expect(page.get_by_role("heading", name="Invite somebody")).to_be_visible()
            cookies = {one["name"]: one["sameSite"] for one in page.context.cookies(address)}

            assert len(company.sessions()) == 1
            assert cookies["rp_admin"] == "Strict"
            assert "rp_sso" not in cookies
            assert [text for text in refused if "Content Security" in text] == []
            go(page, f"{address}/account")
            assert faults(page) == []


def test_whoever_the_provider_does_not_prove_reads_why(database_url, tmp_path, page):
    with contextlib.closing(Pretended()) as provider:
        settings = settings_of(provider.issuer)
        with served(database_url, tmp_path, SITE, **settings) as (_, url):
            go(page, f"{url}/studio/sso/back?code=x&state=y")

            expect(page.get_by_role("alert")).to_contain_text("begin anew")
            assert faults(page) == []
            page.get_by_role("link", name="To the sign-in").click()
            expect(page.get_by_role("button", name="Sign in with Acme")).to_be_visible()
