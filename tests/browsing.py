"""Moving a real browser from page to page."""

from playwright.sync_api import Error


def go(page, address, **how):
    """
    Go to an address, and return the response.

    A page that has a file starts it by itself after a moment; a download that begins just then
    breaks off where the browser is going, and it goes once more.
    """
    try:
        return page.goto(address, **how)
    except Error as error:
        if "ERR_ABORTED" not in str(error):
            raise
        return page.goto(address, **how)
