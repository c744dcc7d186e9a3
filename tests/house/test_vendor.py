"""What the Studio's pages use of others: ours to serve, as locked, under a strict policy."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "static" / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text("utf-8"))["files"]
LOCKED = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
PACKAGES = [one for told in MANIFEST.values() for one in told["packages"]]

HERE = "http://vendor.test"
POLICY = (
    "default-src 'none'; script-src 'nonce-n'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; base-uri 'none'"
)
PAGE = """
<!doctype html><html lang="en"><head><title>Charts</title>
<script nonce="n" src="/htmx.min.js"></script></head>
<body><button hx-get="/part" hx-target="#part">Go</button><div id="part"></div>
<div id="charts"></div>
<script nonce="n" type="module">
  import { init } from '/echarts.min.js'
  const plain = { animation: false, aria: { enabled: true }, tooltip: { renderMode: 'richText' } }
  const axes = { xAxis: { type: 'category', data: ['a', 'b'] }, yAxis: {} }
  const named = [{ name: 'a', value: 2 }, { name: 'b', value: 1 }]
  const links = [{ source: 'a', target: 'b', value: 1 }]
  const cells = [[0, 0, 1], [1, 0, 2]]
  const charts = {
    line: { ...axes, series: { type: 'line', data: [1, 2] } },
    bar: { ...axes, series: { type: 'bar', data: [1, 2] } },
    funnel: { series: { type: 'funnel', data: named } },
    sankey: { series: { type: 'sankey', data: named, links } },
    heatmap: {
      ...axes, yAxis: { type: 'category', data: ['c'] }, visualMap: { min: 0, max: 2 },
      series: { type: 'heatmap', data: cells },
    },
  }
  for (const [name, asked] of Object.entries(charts)) {
    const place = document.createElement('div')
    place.id = name
    document.querySelector('#charts').append(place)
    const chart = init(place, null, { renderer: 'svg', width: 300, height: 200 })
    chart.setOption({ ...plain, ...asked })
  }
  document.body.dataset.drawn = 'yes'
</script></body></html>
"""


def test_every_file_is_the_one_the_manifest_names():
    served = {path.name for path in VENDOR.iterdir()} - {"manifest.json", "LICENSES.txt"}

    assert served == {*MANIFEST}
    for name, told in MANIFEST.items():
        digest = hashlib.sha384((VENDOR / name).read_bytes()).digest()
        assert told["sha384"] == f"sha384-{base64.b64encode(digest).decode()}"


def test_what_is_in_it_is_what_is_locked_and_each_comes_with_its_licence():
    licences = (VENDOR / "LICENSES.txt").read_text("utf-8")
    parts = dict(
        re.findall(r"^=== (.+?) ===$(.+?)(?=^=== |\Z)", licences, re.MULTILINE | re.DOTALL)
    )

    assert {one["name"] for one in PACKAGES} >= {"htmx.org", "echarts"}
    for one in PACKAGES:
        locked = LOCKED[f"node_modules/{one['name']}"]
        assert one["version"] == locked["version"]
        text = parts[f"{one['name']} {one['version']} ({one['licence']})"]
        assert len(text.strip()) > 400


@pytest.mark.parametrize("name", MANIFEST)
def test_no_file_knows_an_address_to_load_from(name):
    text = (VENDOR / name).read_text("utf-8")
    named = set(re.findall(r"https?://[\w.-]+", text))

    assert named <= {"http://www.w3.org"}, "names of XML are no addresses"
    assert "sourceMappingURL" not in text


def test_charts_and_partial_pages_need_no_exception_from_the_policy(page):
    said, asked = [], []

    def answer(route):
        path = route.request.url.removeprefix(HERE)
        asked.append(route.request.url)
        if path == "/part":
            route.fulfill(body="<p>A part</p>", content_type="text/html")
        elif path == "/":
            route.fulfill(
                body=PAGE,
                content_type="text/html",
                headers={"Content-Security-Policy": POLICY},
            )
        elif path.lstrip("/") in MANIFEST:
            file = VENDOR / path.lstrip("/")
            route.fulfill(body=file.read_bytes(), content_type="text/javascript")
        else:
            route.fulfill(status=404)

    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.route("**/*", answer)
    page.goto(f"{HERE}/")
    page.wait_for_selector("body[data-drawn]")
    page.click("button")
    page.wait_for_selector("#part > p")

    assert said == []
    assert {url for url in asked if not url.startswith(f"{HERE}/")} == set()
    for chart in ("line", "bar", "funnel", "sankey", "heatmap"):
        assert page.locator(f"#{chart} svg path").count() > 0
        assert page.locator(f"#{chart}[aria-label]").count() == 1
    assert page.locator("canvas").count() == 0
