"""Moving a real browser from page to page."""

import json
from contextlib import contextmanager

from playwright.sync_api import Error

BROKEN_OFF = ("ERR_ABORTED", "interrupted by another navigation")


def go(page, address, **how):
    """
    Go to an address, and return the response.

    A page that has a file starts it by itself after a moment; a download that begins just then
    breaks off where the browser is going, and so does a form that is still on its way: then it goes
    once more.
    """
    try:
        return page.goto(address, **how)
    except Error as error:
        if not any(one in str(error) for one in BROKEN_OFF):
            raise
        return page.goto(address, **how)


def content(page):
    """Return the markup of a page; where its file begins just then, once more."""
    try:
        return page.content()
    except Error as error:
        if "is navigating" not in str(error):
            raise
        page.wait_for_load_state()
        return page.content()


@contextmanager
def held_up(page):
    """
    Give a list that afterwards holds the milliseconds of each task of the pages' main threads.

    It is the processor's time: on a machine that does other things too, a task that waits for its
    turn takes long by the clock, and held up nobody.
    """
    tasks = []
    made_by = page.context.browser
    made_by.start_tracing(page=page, categories=["toplevel"])
    try:
        yield tasks
    finally:
        seen = json.loads(made_by.stop_tracing())["traceEvents"]
    threads = {
        (one["pid"], one["tid"]): one["args"].get("name") for one in seen if one["ph"] == "M"
    }
    tasks += [
        one["tdur"] / 1000
        for one in seen
        if "RunTask" in one["name"]
        and "tdur" in one
        and threads.get((one["pid"], one["tid"])) == "CrRendererMain"
    ]
    assert tasks, "this browser tells nothing of its tasks"
