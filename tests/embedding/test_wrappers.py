"""What examples/ prints is what `regportal snippet` prints, and it works."""

import html
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browsing import go
from tools.ensure_browser import HUGO, PHP, ensure

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NODE = Path(sys.executable).parent / "node"
TOOLS = ROOT / "node_modules" / ".bin"


@pytest.fixture(scope="module")
def place(place_in):
    """A site with the portal below a path of it."""
    return place_in("path")


def run(*command, folder=ROOT, **environment):
    """Run a program, and return what it said."""
    said = subprocess.run(
        [str(one) for one in command],
        cwd=folder,
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert said.returncode == 0, said.stderr + said.stdout
    return said.stdout


def flat(markup):
    """Return markup without the line breaks and the escapes (of a plus) a tool may add."""
    return re.sub(r">\s+<", "><", re.sub(r"\s+", " ", html.unescape(markup))).strip()


def expected(place):
    """Return what stands in a page with two gates, one of them in German: the script once."""
    guide = place.snippet("guide")
    return flat(guide.script + guide.element + in_german(place.snippet("study").element))


def in_german(element):
    """Return the element of a gate on a page that knows its language."""
    asked = element.replace("<regportal-gate", '<regportal-gate lang="de"')
    asked = re.sub(r'( lang="de")( gate="[a-z]+")', r"\2\1", asked)
    return re.sub(r'href="([^"]+)"', r'href="\1?lang=de"', asked)


def test_eleventy(place, tmp_path):
    snippet = place.snippet("guide")
    plugin = (EXAMPLES / "eleventy" / "regportal.js").as_uri()
    options = json.dumps({"src": snippet.src, "integrity": snippet.integrity})
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "eleventy.config.js").write_text(
        f"import regportal from '{plugin}'\n"
        f"export default config => {{ config.addPlugin(regportal, {options}) }}"
    )
    page = """{% regportalGate "guide" %}The guide{% endregportalGate %}
    {% regportalGate "study", "de" %} The study {% endregportalGate %}"""
    (tmp_path / "one.njk").write_text(page)
    (tmp_path / "two.njk").write_text(page)
    run(NODE, ROOT / "node_modules/@11ty/eleventy/cmd.cjs", "--quiet", folder=tmp_path)

    for name in ("one", "two"):
        made = (tmp_path / "_site" / name / "index.html").read_text()
        assert flat(made) == expected(place)


REACT = """
import {{ RegportalGate }} from '{component}'
import {{ createElement as make }} from 'react'
{how}
const said = {{ src: '{src}', integrity: '{integrity}' }}
const tell = event => document.documentElement.append(' opened ' + event.detail.gate)
const page = make('div', null,
  make(RegportalGate, {{ ...said, gate: 'guide', onOpened: tell }}, 'The guide'),
  make(RegportalGate, {{ ...said, gate: 'study', lang: 'de' }}, 'The study'),
  make(RegportalGate, {{ ...said, gate: 'guide', mode: 'frame', light: true }}, 'The guide'))
{then}
"""
VUE = """
import {{ regportal }} from '{component}'
import {{ createSSRApp, h, resolveComponent }} from 'vue'
{how}
const said = {{ src: '{src}', integrity: '{integrity}' }}
const tell = event => document.documentElement.append(' opened ' + event.detail.gate)
const app = createSSRApp(() => {{
  const make = (props, text) => h(resolveComponent('RegportalGate'), props, () => text)
  return h('div', [
    make({{ gate: 'guide', onOpened: tell }}, 'The guide'),
    make({{ gate: 'study', lang: 'de' }}, 'The study'),
    make({{ gate: 'guide', mode: 'frame', light: true }}, 'The guide')])
}}).use(regportal, said)
{then}
"""


@dataclass(frozen=True)
class Framework:
    """What a page with two gates is made with, and how: in a browser, and on a server."""

    component: str
    page: str
    in_browser: tuple[str, str]
    on_server: tuple[str, str]

    def bundled(self, place, folder, name, *options):
        """Put a page with two gates together, as whoever uses it does."""
        how, then = getattr(self, name)
        snippet, component = place.snippet("guide"), EXAMPLES / self.component
        entry = folder / f"{name}.jsx"
        entry.write_text(
            self.page.format(
                component=component,
                src=snippet.src,
                integrity=snippet.integrity,
                how=how,
                then=then,
            )
        )
        made = folder / f"{name}.js"
        run(
            TOOLS / "esbuild", entry, "--bundle", "--format=esm", "--jsx=automatic", *options,
            "--define:process.env.NODE_ENV='production'", "--log-level=error", f"--outfile={made}",
            NODE_PATH=ROOT / "node_modules",
        )  # fmt: skip
        return made


FRAMEWORKS = {
    "react": Framework(
        "react/regportal-gate.jsx",
        REACT,
        (
            "import { createRoot } from 'react-dom/client'",
            "createRoot(document.querySelector('main')).render(page)",
        ),
        (
            "import { renderToStaticMarkup } from 'react-dom/server.edge'",
            "console.log(renderToStaticMarkup(page))",
        ),
    ),
    "vue": Framework(
        "vue/regportal-gate.js",
        VUE,
        ("", "app.mount('main')"),
        (
            "import { renderToString } from 'vue/server-renderer'",
            "renderToString(app).then(console.log)",
        ),
    ),
}


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    """One of those that draw pages in the browser."""
    return FRAMEWORKS[request.param]


def test_a_framework_in_a_browser(place, new_context, tmp_path, framework):
    made = framework.bundled(place, tmp_path, "in_browser", "--minify")
    (place.pages / "app.js").write_bytes(made.read_bytes())
    body = '<main></main><script type="module" src="/app.js"></script>'
    # They set the address of the script themselves, which Trusted Types would keep them from.
    address = place.page("app", body=body, policy="default-src 'none'", alone=True)
    page = new_context().new_page()
    go(page, address)
    gate = page.locator("regportal-gate[gate=guide]").first
    gate.locator("input[name=email]").fill("ann@widgetworks.example")
    gate.locator("button[name=remember]").first.click()
    gate.locator("a[data-rp=download]").wait_for()

    expect(page.locator("html")).to_contain_text("opened guide")
    assert page.locator("script[src*=regportal]").count() == 1
    assert page.locator("regportal-gate[gate=study] > a").get_attribute("href") == (
        f"{place.url}/g/study?lang=de"
    )
    expect(page.locator("regportal-gate[mode=frame][light] iframe")).to_be_attached()


def test_a_framework_on_a_server(place, tmp_path, framework):
    made = framework.bundled(place, tmp_path, "on_server", "--platform=node")
    said = flat(run(NODE, made))

    assert flat(place.snippet("guide").element).replace("> <", "><") in said
    assert flat(in_german(place.snippet("study").element)) in said
    assert said.count("<script") == 1
    assert f'integrity="{place.snippet("guide").integrity}"' in said


@pytest.mark.soak
def test_hugo(place, tmp_path):
    snippet = place.snippet("guide")
    (tmp_path / "hugo.toml").write_text(
        'baseURL = "https://www.acme.test/"\ndisableKinds = ["taxonomy", "term", "RSS"]\n'
        f'[params.regportal]\nsrc = "{snippet.src}"\nintegrity = "{snippet.integrity}"\n'
    )
    codes = tmp_path / "layouts" / "shortcodes"
    codes.mkdir(parents=True)
    example = EXAMPLES / "hugo" / "layouts" / "shortcodes" / "regportal-gate.html"
    (codes / example.name).write_bytes(example.read_bytes())
    (tmp_path / "layouts" / "_default").mkdir()
    for name in ("single", "list"):
        (tmp_path / "layouts" / "_default" / f"{name}.html").write_text("{{ .Content }}")
    (tmp_path / "content").mkdir()
    for name in ("one", "two"):
        (tmp_path / "content" / f"{name}.html").write_text(
            "---\ntitle: x\n---\n"
            '{{< regportal-gate gate="guide" >}}The guide{{< /regportal-gate >}}'
            '{{< regportal-gate gate="study" lang="de" >}}The study{{< /regportal-gate >}}'
        )
    run(ensure(HUGO), "--source", tmp_path)

    for name in ("one", "two"):
        made = (tmp_path / "public" / name / "index.html").read_text()
        assert flat(made) == expected(place)


def wordpress(place, *show, **constants):
    """Show pages of a WordPress with our plugin; return them, and the editor's code."""
    snippet = place.snippet("guide")
    known = {"REGPORTAL_SRC": snippet.src, "REGPORTAL_INTEGRITY": snippet.integrity}
    said = json.dumps({"constants": known | constants, "show": show})
    plugin = EXAMPLES / "wordpress" / "regportal.php"
    return json.loads(run(ensure(PHP), Path(__file__).parent / "wordpress.php", plugin, said))


@pytest.mark.soak
def test_wordpress_short_code_and_block(place, tmp_path):
    run(ensure(PHP), "-l", EXAMPLES / "wordpress" / "regportal.php")
    told = wordpress(
        place,
        ("code", {"gate": "guide"}, "The <b>guide</b>"),
        ("block", {"gate": "study", "text": "The study", "lang": "de"}, ""),
        ("code", {"gate": '"><script>'}, "x"),
        ("code", [], ""),
        ("block", {"gate": "guide", "text": "<script>"}, ""),
        ("code", {"gate": "guide", "lang": '"><script>'}, "x"),
    )

    assert flat("".join(told["shown"][:2])) == expected(place)
    assert told["shown"][2:4] == ["", ""]
    assert "<script" not in "".join(told["shown"][4:])
    (tmp_path / "editor.js").write_text(told["editor"])
    run(NODE, "--check", tmp_path / "editor.js")


@pytest.mark.soak
def test_wordpress_without_settings_shows_nothing(place):
    assert wordpress(place, ("code", {"gate": "guide"}, "x"), REGPORTAL_SRC="")["shown"] == [""]
