"""A page whose own server puts the gate's element in, as docs/embedding.md shows it with nginx."""

import pytest
import requests
from playwright.sync_api import expect

from tests.browsing import go
from tests.web_servers import in_the_docs


@pytest.fixture(scope="module")
def place(place_in):
    """A site with the portal below a path of it."""
    return place_in("path", "location /down/ { proxy_pass http://127.0.0.1:9; }")


def fetched(place, name):
    """Return a page of the site as a search engine reads it: without any script."""
    port = place.www.rpartition(":")[2]
    answer = requests.get(
        f"https://127.0.0.1:{port}/{name}.html",
        headers={"Host": f"www.acme.test:{port}"},
        verify=str(place.pages.parent / "cert.pem"),
        timeout=30,
    )
    return answer.text


INCLUDED = in_the_docs("embedding.md", "html+ssi").replace("price-list", "guide")


def test_the_text_is_in_the_page_itself_and_the_gate_comes(new_context, place):
    address = place.page("included", body=INCLUDED)
    text = fetched(place, "included")
    page = new_context().new_page()
    go(page, address)

    assert "<strong>The guide</strong>" in text
    assert "<p>All of it.</p>" in text
    assert f'<a href="{place.url}/g/guide">A guide' in text
    assert "<!--#" not in text
    expect(page.locator("regportal-gate input[name=email]")).to_be_visible()


@pytest.mark.parametrize("path", ["/portal/g/gone/include", "/down/g/guide/include"])
def test_without_such_a_gate_or_without_a_portal_the_pages_own_link_stands(place, path):
    place.page("gone", body=INCLUDED.replace("/portal/g/guide/include", path))
    text = fetched(place, "gone")

    assert '<a href="/portal/g/guide">All prices</a>' in text
    assert text.count("<html") == 1
