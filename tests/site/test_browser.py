"""The site as its visitors get it: built, served by the emulation of the edge, seen by a browser.

What is tested is the last commit: the builder archives nothing else, so it runs in a clone. The
headers come from the template, by an emulation; edge.py says what it cannot show.
"""

import hashlib
import http.client
import json
import re
import shutil
import subprocess
import sys
import urllib.robotparser
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloudformation.commands import ARCHIVE_KEPT, PAGES_KEPT
from tests.conftest import ROOT
from tests.site.conftest import tool
from tests.support.servers.web import found
from tests.support.site.edge import Answer, Edge, Thing, Unemulated, serving, things
from tests.support.site.resolve import Place, Stack, attributes, resolve

pytestmark = pytest.mark.timeout(240)

URL = "https://review.example.org/"
PLACE = Place("us-east-1")
PARAMETERS = {"DomainName": "review.example.org", "HostedZoneId": "Z0123456789ABCDEFGHIJ"}
PAGES = ("index.html", "404.html")
DRAWINGS = ("favicon.svg", "demo.svg")
LISTED = {*PAGES, *DRAWINGS, "style.css", "robots.txt", "SHA256SUMS.txt"}
ARCHIVE = re.compile(r"time-drift-[0-9a-f]{12}\.zip")
NOWHERE = "no-such-page"
SMALLEST_PX = 13
CONTRAST = 4.5
"""What WCAG 2.2 asks of text, 1.4.3, level AA."""
LOADED_BY = {"src", "srcset", "poster", "data", "background", "action", "formaction", "xlink:href"}
"""Attributes whose URL is loaded, or sent to, without or with a click."""


# What there is to look at.


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, script: str) -> Path:
    """Return a clean clone of this repository, its environment prepared if it needs the same."""
    path = tmp_path_factory.mktemp("clone") / "time-drift"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(path)], check=True, timeout=60)
    shutil.copytree(Path(script).parent / ".venv", path / ".venv", symlinks=True)
    return path


@pytest.fixture(scope="module")
def site(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site of the last commit, in a directory."""
    output = tmp_path_factory.mktemp("built") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "cloudformation", "site", "--output", str(output), "--url", URL],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def stack(clone: Path) -> Stack:
    """Return what the template of the last commit makes."""
    template = json.loads((clone / "cloudformation/template.json").read_text(encoding="utf-8"))
    return resolve(template, PARAMETERS, PLACE, attributes(PLACE))


@pytest.fixture(scope="module")
def base(site: Path, stack: Stack) -> Iterator[str]:
    """Return where the site is served."""
    kept = {path.name: {"Cache-Control": PAGES_KEPT} for path in site.iterdir()}
    forever = {"Cache-Control": ARCHIVE_KEPT, "Content-Disposition": "attachment"}
    with serving(Edge(stack, things(site, kept | {archive(site): forever}))) as url:
        yield url


@pytest.fixture(scope="module")
def seen(base: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a browser saw; its screenshots are in the directory `screenshots`."""
    tool("playwright")
    chromium = found("chromium")
    directory = tmp_path_factory.mktemp("screenshots")
    program = ROOT / "tests/support/site/browser.py"
    paths = ["/", f"/{NOWHERE}", *(f"/{name}" for name in DRAWINGS)]
    done = subprocess.run(
        [tool("python"), "-I", program, base, directory, chromium, *paths],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def archive(site: Path) -> str:
    """Return the name of the archive; there is one."""
    (name,) = (path.name for path in site.iterdir() if ARCHIVE.fullmatch(path.name))
    return name


def digest(site: Path) -> str:
    return hashlib.sha256((site / archive(site)).read_bytes()).hexdigest()


def ask(base: str, method: str, path: str) -> Answer:
    """Ask for a path as it is written."""
    link = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)
    link.request(method, path)
    reply = link.getresponse()
    answer = Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
    link.close()
    return answer


class Elements(HTMLParser):
    """The elements of a page or drawing, in lower case, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, str] = {}
        self._id = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, {name: value or "" for name, value in attrs}))
        self._id = dict(attrs).get("id") or ""

    def handle_data(self, data: str) -> None:
        if self._id:
            self.texts[self._id] = self.texts.get(self._id, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._id = ""

    def named(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of the elements of a name."""
        return [attributes for name, attributes in self.all if name == tag]

    def loaded(self) -> list[str]:
        """Return the URLs that are loaded, or sent to: all but those of links to click on."""
        return [
            value
            for tag, attributes in self.all
            for name, value in attributes.items()
            if name in LOADED_BY or (name == "href" and tag != "a")
        ]


def elements(site: Path, name: str) -> Elements:
    return Elements((site / name).read_text(encoding="utf-8"))


# The files.


def test_the_files(site: Path) -> None:
    """The site is these files and the archive, and nothing else."""
    assert {path.name for path in site.rglob("*")} == LISTED | {archive(site)}


@pytest.mark.parametrize("name", [*PAGES, *DRAWINGS])
def test_nothing_that_the_policy_forbids(site: Path, name: str) -> None:
    """No script, no inline style, no handler, nothing foreign and nothing from elsewhere."""
    text = (site / name).read_text(encoding="utf-8")
    them = Elements(text)
    tags = {tag for tag, _ in them.all}
    names = {attribute for _, attributes in them.all for attribute in attributes}

    assert "<script" not in text.lower()
    assert "javascript:" not in text.lower()
    assert not tags & {"script", "style", "foreignobject", "iframe", "object", "embed", "base"}
    assert "style" not in names
    assert not [attribute for attribute in names if attribute.startswith("on")]
    assert not [url for url in them.loaded() if urlsplit(url).scheme or urlsplit(url).netloc]


def test_the_style_sheet_loads_nothing(site: Path) -> None:
    """The style sheet neither imports another nor loads a picture or a font."""
    text = (site / "style.css").read_text(encoding="utf-8").lower()

    assert "@import" not in text
    assert "url(" not in text
    assert "@font-face" not in text


@pytest.mark.parametrize("name", PAGES)
def test_pages_say_that_they_are_not_to_be_listed(site: Path, name: str) -> None:
    """Both pages carry the robots meta tag, a language and what a phone needs."""
    them = elements(site, name)
    metas = {meta["name"]: meta["content"] for meta in them.named("meta") if "name" in meta}

    assert "noindex" in metas["robots"]
    assert "width=device-width" in metas["viewport"]
    assert them.named("html")[0]["lang"] == "en"
    assert them.named("meta")[0] == {"charset": "utf-8"}
    assert all(image["alt"] for image in them.named("img"))


def test_the_error_page_works_at_any_depth(site: Path) -> None:
    """What the 404 page links is absolute: it is sent for /a/b/c too."""
    them = elements(site, "404.html")
    links = [link["href"] for tag in ("a", "link") for link in them.named(tag)]

    assert links
    assert all(link.startswith("/") for link in links)


def test_crawlers_may_come(base: str, site: Path) -> None:
    """Crawlers may read the noindex: what they may not read can still be listed, by its links."""
    robots = urllib.robotparser.RobotFileParser()
    robots.parse(ask(base, "GET", "/robots.txt").body.decode().splitlines())

    for agent in ("*", "Googlebot", "bingbot"):
        for path in ("", archive(site), NOWHERE, "robots.txt"):
            assert robots.can_fetch(agent, URL + path)
    assert not robots.site_maps()


def test_the_digest(site: Path) -> None:
    """The page and SHA256SUMS.txt show the digest of the archive that is beside them."""
    them = elements(site, "index.html")
    (link,) = (link for link in them.named("a") if link.get("id") == "download")

    assert link["href"] == archive(site)
    assert them.texts["sha256"] == digest(site)
    assert (site / "SHA256SUMS.txt").read_text() == f"{digest(site)}  {archive(site)}\n"
    # As visitors would check it.
    subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS.txt"],
        cwd=site,
        check=True,
        capture_output=True,
        timeout=30,
    )


# The responses.


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_response_has_the_headers(base: str, site: Path, method: str) -> None:
    """Whatever is asked for, the answer is not to be indexed, and no browser would run a script."""
    paths = [*(f"/{path.name}" for path in site.iterdir()), "/", f"/{NOWHERE}", f"/a/{NOWHERE}?b"]
    for path in paths:
        answer = ask(base, method, path)

        assert answer.status == (404 if NOWHERE in path else 200), path
        assert "noindex" in answer.headers["x-robots-tag"], path
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert "script-src" not in answer.headers["content-security-policy"], path
        assert re.match(r"max-age=\d{8,}\b", answer.headers["strict-transport-security"]), path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "no-referrer", path


def test_what_comes_back(base: str, site: Path) -> None:
    """The root is the index; a HEAD has its headers alone; the archive comes whole."""
    index = ask(base, "GET", "/")
    head = ask(base, "HEAD", "/")
    whole = ask(base, "GET", f"/{archive(site)}?again=1")

    assert index.body == (site / "index.html").read_bytes()
    assert index.headers["content-type"] == "text/html"
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(index.body))
    assert hashlib.sha256(whole.body).hexdigest() == digest(site)
    assert whole.headers["content-type"] == "application/zip"
    assert whole.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize(
    "path", [f"/{NOWHERE}", "/a/b/c", "//", "/index.html/", "/INDEX.HTML", "/../index.html", "/%00"]
)
def test_an_unknown_path(base: str, site: Path, path: str) -> None:
    """Whatever is not there is answered by the 404 page, with 404."""
    answer = ask(base, "GET", path)

    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html"
    assert answer.body == (site / "404.html").read_bytes()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_reading(base: str, method: str) -> None:
    """No other method gets anywhere."""
    assert ask(base, method, "/").status == 403


# The browser.


@pytest.mark.interop
def test_pages_are_readable(seen: dict[str, Any]) -> None:
    """On a phone and on a desk, light and dark: nothing sticks out, is tiny, faint or missing."""
    pages = [view for view in seen["views"] if "texts" in view]

    assert len(pages) == 8
    for view in pages:
        what = f"{view['path']} {view['name']} {view['screenshot']}"
        width = 390 if view["name"].startswith("phone") else 1280
        assert view["texts"] > 3, what
        assert view["inner_width"] == width, what
        assert view["scroll_width"] <= width, what
        assert view["smallest"]["px"] >= SMALLEST_PX, f"{what} {view['smallest']}"
        assert view["faintest"]["contrast"] >= CONTRAST, f"{what} {view['faintest']}"
        assert not view["pictured"], what  # its contrast would not be known
        assert all(image["natural_width"] for image in view["images"]), what


@pytest.mark.interop
def test_drawings_are_readable(seen: dict[str, Any]) -> None:
    """What is written in a drawing is not tiny at the size that the page gives it."""
    sizes = {
        (view["name"], image["src"]): image["smallest_px"]
        for view in seen["views"]
        for image in view.get("images", [])
        if image["smallest_px"] is not None
    }

    assert sizes
    assert {what: px for what, px in sizes.items() if px < SMALLEST_PX} == {}


@pytest.mark.interop
def test_both_colour_schemes(seen: dict[str, Any]) -> None:
    """Those who want a dark page get one."""
    for view in seen["views"]:
        if "paper" in view:
            assert (sum(view["paper"][:3]) < 3 * 128) == view["name"].endswith("dark")


@pytest.mark.interop
def test_the_browser_has_nothing_to_say(seen: dict[str, Any]) -> None:
    """No message in the console, no error, nothing that the policy had to stop."""
    for view in seen["views"]:
        what = f"{view['path']} {view['name']}"
        reported = [it["text"] for it in view["console"] if not excused(view, it)]
        assert reported == [], what
        assert view["errors"] == [], what
        assert view["violations"] == [], what


def excused(view: dict[str, Any], message: dict[str, Any]) -> bool:
    """Return whether a message is the browser's own about a 404 that is meant to be one."""
    about = urlsplit(message["at"]["url"]).path
    # For a drawing that is opened by itself, the browser asks for an icon that no page named.
    meant = about == view["path"] == f"/{NOWHERE}" or (
        about == "/favicon.ico" and "texts" not in view
    )
    return meant and "status of 404" in message["text"]


@pytest.mark.interop
def test_everything_comes_from_here(seen: dict[str, Any], base: str) -> None:
    """The pages load nothing from elsewhere, and every response has the headers."""
    requests = [url for view in seen["views"] for url in view["requests"]]

    assert {urlsplit(url).netloc for url in requests} == {urlsplit(base).netloc}
    assert f"{base}/style.css" in requests
    assert f"{base}/demo.svg" in requests
    assert f"{base}/favicon.svg" in requests
    for response in seen["responses"]:
        assert "noindex" in response["headers"]["x-robots-tag"], response["url"]
        assert response["headers"]["content-security-policy"], response["url"]
        assert response["headers"]["strict-transport-security"], response["url"]


@pytest.mark.interop
def test_the_download(seen: dict[str, Any], site: Path) -> None:
    """A click on the link downloads the archive of which the page shows the digest."""
    assert seen["download"] == {
        "name": archive(site),
        "sha256": digest(site),
        "shown": digest(site),
    }


@pytest.mark.interop
def test_links_lead_somewhere(seen: dict[str, Any], base: str, site: Path) -> None:
    """Every link of the site to itself works; the archive is linked, and so is the front page."""
    own = {url: status for url, status in seen["links"].items() if status is not None}

    assert set(own.values()) == {200}
    assert {f"{base}/{archive(site)}", f"{base}/"} <= own.keys()


@pytest.mark.interop
def test_titles(seen: dict[str, Any]) -> None:
    """The page and the error page are distinguished by status and title."""
    views = {view["path"]: (view["status"], view["title"]) for view in seen["views"]}

    assert views["/"][0] == 200
    assert views[f"/{NOWHERE}"][0] == 404
    assert "time-drift" in views["/"][1]
    assert views["/"][1] != views[f"/{NOWHERE}"][1]


# The emulation itself.


def changed(stack: Stack, name: str, **properties: Any) -> Stack:
    """Return a stack in which a resource has other properties."""
    resource = stack.resources[name]
    other = {**resource, "Properties": {**resource["Properties"], **properties}}
    return stack.replaced(resources={**stack.resources, name: other})


def configured(stack: Stack, name: str, key: str, **values: Any) -> Stack:
    """Return a stack in which a resource is configured otherwise."""
    config = stack.resources[name]["Properties"][key]
    return changed(stack, name, **{key: {**config, **values}})


def two_files(stack: Stack) -> Edge:
    page = {"Content-Type": "text/html"}
    return Edge(stack, {"index.html": Thing(page, b"in"), "404.html": Thing(page, b"no")})


def test_the_emulation_asks_the_bucket_policy(stack: Stack) -> None:
    """Who may not read gets no page, not even the 404 page; and what is missing is not said."""
    document = stack.resources["SitePolicy"]["Properties"]["PolicyDocument"]
    closed = changed(stack, "SitePolicy", PolicyDocument={"Statement": document["Statement"][1:]})
    other = stack.replaced(ids={**stack.ids, "Distribution": "E2SOMEBODYELSE"})
    bare = configured(stack, "Distribution", "DistributionConfig", CustomErrorResponses=[])

    assert two_files(stack).answer("GET", "/").status == 200
    assert two_files(stack).answer("GET", "/x").status == 404
    assert two_files(closed).answer("GET", "/").status == 403
    assert two_files(other).answer("GET", "/").status == 403
    assert two_files(bare).answer("GET", "/x").status == 403


def test_the_emulation_follows_the_template(stack: Stack) -> None:
    """Another root object and other headers are what is served then."""
    rooted = configured(stack, "Distribution", "DistributionConfig", DefaultRootObject="404.html")
    unset = configured(stack, "Headers", "ResponseHeadersPolicyConfig", CustomHeadersConfig={})

    assert two_files(rooted).answer("GET", "/").body == b"no"
    assert "X-Robots-Tag" in two_files(stack).answer("GET", "/").headers
    assert "X-Robots-Tag" not in two_files(unset).answer("GET", "/").headers


def test_the_emulation_passes_nothing_over(stack: Stack) -> None:
    """What it does not know, it refuses: it would show another site than CloudFront."""
    key, config = "DistributionConfig", stack.resources["Distribution"]["Properties"]
    asking = {**config[key]["DefaultCacheBehavior"], "FunctionAssociations": [{}]}
    for other in (
        configured(stack, "Distribution", key, CacheBehaviors=[{}]),
        configured(stack, "Distribution", key, DefaultCacheBehavior=asking),
        configured(stack, "Distribution", key, Enabled=False),
        configured(stack, "Headers", "ResponseHeadersPolicyConfig", CorsConfig={}),
        configured(stack, "OriginAccess", "OriginAccessControlConfig", SigningBehavior="never"),
    ):
        with pytest.raises(Unemulated):
            two_files(other)
