"""Look at the site with a real browser, and print what was seen as one JSON object.

    python browser.py BASE-URL DIRECTORY CHROMIUM PATH...

A program for an environment that has playwright; the tests start it. Each path is opened at the
width of a phone and of a desk, in the light and the dark colour scheme, and a picture of each page
goes into the directory; what is no page is opened once. Nothing but loopback is looked up.
"""

import hashlib
import json
import re
import sys
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import (  # type: ignore[import-not-found] # in an environment of its own
    Browser,
    Page,
    sync_playwright,
)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
SIZES: dict[str, dict[str, Any]] = {
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        "device_scale_factor": 2,
    },
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}
SCHEMES = ("light", "dark")
ONCE = f"desktop-{SCHEMES[0]}"
"""The view in which links are followed and the archive is downloaded."""

WATCH = """
window.violationsSeen = [];
document.addEventListener("securitypolicyviolation", event => window.violationsSeen.push(
    `${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
"""Put into every page before anything of its own; the page's policy does not concern it."""

MEASURE = """
() => {
    const dot = document.createElement("canvas");
    dot.width = dot.height = 1;
    const pen = dot.getContext("2d", { willReadFrequently: true });
    const rgba = colour => {  // whatever the notation: what a canvas makes of it
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (above, below) =>
        [0, 1, 2].map(i => above[i] * above[3] + below[i] * (1 - above[3])).concat(1);
    const probe = document.createElement("div");
    probe.style.backgroundColor = "Canvas";
    document.body.append(probe);
    const canvas = rgba(getComputedStyle(probe).backgroundColor);
    probe.remove();
    const chain = element => element ? [...chain(element.parentElement), element] : [];
    const background = element => chain(element).reduce(
        (below, each) => over(rgba(getComputedStyle(each).backgroundColor), below), canvas);
    const luminance = colour => {
        const [r, g, b] = colour.slice(0, 3).map(byte => byte / 255).map(
            part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; node = walker.nextNode();) {
        const text = node.data.trim(), element = node.parentElement;
        const range = document.createRange();
        range.selectNodeContents(node);
        const box = range.getBoundingClientRect();
        if (!text || box.width * box.height < 2) continue;
        if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        const style = getComputedStyle(element), below = background(element);
        const opacity = chain(element).reduce(
            (product, each) => product * getComputedStyle(each).opacity, 1);
        const ink = rgba(style.color);
        const seen = over([...ink.slice(0, 3), ink[3] * opacity], below);
        const [dark, light] = [luminance(seen), luminance(below)].sort((a, b) => a - b);
        texts.push({
            text: text.slice(0, 60),
            px: parseFloat(style.fontSize),
            contrast: (light + 0.05) / (dark + 0.05),
            // Neither a shadow nor a picture below the text is taken into account.
            pictured: chain(element).some(
                each => getComputedStyle(each).backgroundImage !== "none"),
        });
    }
    const least = what => texts.reduce((a, b) => a[what] <= b[what] ? a : b, texts[0]);
    return {
        texts: texts.length,
        smallest: least("px"),
        faintest: least("contrast"),
        pictured: texts.filter(each => each.pictured).map(each => each.text),
        scroll_width: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
        inner_width: window.innerWidth,
        paper: background(document.body),
        images: [...document.images].map(image => ({
            src: image.getAttribute("src"),
            alt: image.getAttribute("alt"),
            natural_width: image.naturalWidth,
            width: image.getBoundingClientRect().width,
        })),
        links: [...document.querySelectorAll("a[href]")].map(link => ({
            href: link.getAttribute("href"),
            url: link.href,
            text: link.textContent.trim(),
        })),
    };
}
"""
_FONT_SIZE = re.compile(r"""font-size\s*[=:]\s*["']?([0-9.]+)""")


def main() -> None:
    """Look at everything and print what was seen."""
    base, directory, chromium, *paths = sys.argv[1:]
    seen: dict[str, Any] = {"views": [], "responses": [], "links": {}, "download": None}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for path, size, scheme in product(paths, SIZES, SCHEMES):
            if f"{size}-{scheme}" == ONCE or not Path(path).suffix:
                view = _view(browser, (size, scheme), urljoin(base, path), Path(directory), seen)
                seen["views"].append({"path": path, **view})
        seen["browser"] = browser.version
        browser.close()
    json.dump(seen, sys.stdout)


def _view(
    browser: Browser, how: tuple[str, str], url: str, directory: Path, seen: dict[str, Any]
) -> dict[str, Any]:
    """Open one page in one way; return what it looked like and what it complained about."""
    name = "-".join(how)
    context = browser.new_context(color_scheme=how[1], **SIZES[how[0]])
    context.add_init_script(WATCH)
    page = context.new_page()
    view: dict[str, Any] = {"name": name, "console": [], "errors": [], "requests": []}
    page.on("console", lambda it: view["console"].append({"text": it.text, "at": it.location}))
    page.on("pageerror", lambda error: view["errors"].append(str(error)))
    page.on("requestfailed", lambda it: view["errors"].append(f"{it.url}: {it.failure}"))
    page.on("request", lambda it: view["requests"].append(it.url))
    page.on("response", lambda it: seen["responses"].append(_response(it)))
    answer = page.goto(url, wait_until="networkidle")
    view |= {"status": answer.status, "title": page.title()}
    view["violations"] = page.evaluate("window.violationsSeen")
    if "text/html" in answer.headers["content-type"]:
        view |= page.evaluate(MEASURE)
        view["images"] = [_in_its_size(page, image) for image in view["images"]]
        view["screenshot"] = _picture(page, directory, name)
    if name == ONCE and "links" in view:
        _follow(page, view["links"], seen["links"])
        if page.locator("#download").count():
            seen["download"] = _download(page)
    context.close()
    return view


def _picture(page: Page, directory: Path, name: str) -> str:
    """Take a picture of the whole page; return where it is."""
    path = urlsplit(page.url).path.strip("/").replace("/", "-") or "index"
    shot = directory / f"{path}-{name}.png"
    # As the page is: to hide the caret, playwright would add a style that the policy forbids.
    page.screenshot(path=shot, full_page=True, caret="initial", animations="allow")
    return str(shot)


def _response(response: Any) -> dict[str, Any]:
    return {
        "method": response.request.method,
        "url": response.url,
        "status": response.status,
        "headers": response.headers,
    }


def _in_its_size(page: Page, image: dict[str, Any]) -> dict[str, Any]:
    """Add how large the smallest text of a drawing is on the page."""
    url = urljoin(page.url, image["src"])
    drawing = page.context.request.get(url).text() if _is_own(page, url) else ""
    sizes = [float(size) for size in _FONT_SIZE.findall(drawing)]
    scale = image["width"] / (image["natural_width"] or 1)
    return image | {"smallest_px": min(sizes) * scale if sizes else None}


def _follow(page: Page, links: list[dict[str, str]], found: dict[str, Any]) -> None:
    """Record the status of each link of the site itself; None for those that lead elsewhere."""
    for link in links:
        url = link["url"]
        found[url] = page.context.request.get(url).status if _is_own(page, url) else None


def _is_own(page: Page, url: str) -> bool:
    """Return whether a URL is the site's, so that it may be asked for."""
    return bool(urlsplit(url)[:2] == urlsplit(page.url)[:2])


def _download(page: Page) -> dict[str, str]:
    """Click the link to the archive; return what arrived and what the page says of it."""
    with page.expect_download() as started:
        page.locator("#download").click()
    arrived = started.value
    return {
        "name": arrived.suggested_filename,
        "sha256": hashlib.sha256(Path(arrived.path()).read_bytes()).hexdigest(),
        "shown": page.locator("#sha256").inner_text(),
    }


if __name__ == "__main__":
    main()
