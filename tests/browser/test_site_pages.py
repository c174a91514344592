"""The built site in headless Chromium, opened as files: every page, at full and at phone width, by
mouse, keyboard and search.
"""

import io
import shutil
from pathlib import Path

import pytest

from workshop import repo, site

ROOT = Path(__file__).parents[2]
CHROMIUM = next(
    (p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))),
    None,
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM, reason="Chromium is not installed (sudo apt install chromium)"
    ),
]
playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (python3 course.py setup-dev)"
)
pytest.importorskip("latex2mathml", reason="the extra `site` is not installed")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    "The whole site, in a folder whose name needs quoting."
    folder = tmp_path_factory.mktemp("a site") / "网页 1"
    site.build(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    "Chromium."
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, built):
    """A function that opens a page of the site; afterwards nothing may have been complained of or
    fetched from elsewhere.
    """
    pages, problems = [], []

    def run(name, width=1280, **context):
        page = browser.new_context(viewport=dict(width=width, height=900), **context).new_page()
        page.set_default_timeout(60_000)
        page.on(
            "console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda e: problems.append(str(e)))
        page.on(
            "request",
            lambda r: problems.append(r.url) if not r.url.startswith(("file:", "data:")) else None,
        )
        page.on("requestfailed", lambda r: problems.append(f"failed: {r.url}"))
        page.goto(f"{built.as_uri()}/{name}")
        pages.append(page)
        return page

    yield run
    for page in pages:
        page.context.close()
    assert problems == []


def test_every_page_of_the_navigation(open_page, built):
    page = open_page("index.html")
    links = page.eval_on_selector_all("#contents a", "all => all.map(a => a.href)")
    files = {p.as_uri() for p in built.glob("*.html")}
    assert {link.split("#")[0] for link in links} | {
        f for f in files if f.endswith((".zh.html", "index.html"))
    } == files
    for address in sorted(files):
        page.goto(address)
        assert page.locator("main h1").count() == 1
        assert page.locator("#contents a:not(.here ol a)").count() == len(links)
        broken = page.eval_on_selector_all(
            "img", "all => all.filter(i => i.loading !== 'lazy' && !i.naturalWidth).map(i => i.src)"
        )
        assert broken == [], address


def test_no_page_is_wider_than_a_phone(open_page, built):
    page = open_page("index.html", width=400)
    for path in sorted(built.glob("*.html")):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, path.name
    assert not page.locator("#contents").is_visible()
    page.fill("#search", "codebook")
    page.wait_for_selector("#found a")
    box = page.locator("#found").bounding_box()
    assert (
        box["x"] >= 0
        and box["x"] + box["width"] <= 400
        and page.evaluate("document.documentElement.scrollWidth") <= 400
    )
    page.keyboard.press("Escape")
    page.click(".menu")
    assert page.locator("#contents").is_visible()
    page.click("#contents a >> nth=1")
    assert (
        page.url.endswith(f"{repo.notebooks(ROOT)[1].stem}.html")
        and not page.locator("#contents").is_visible()
    )


@pytest.mark.parametrize("width", [1200, 390])
def test_every_line_of_code_is_seen_whole(open_page, built, width):
    page = open_page("index.html", width=width)
    blocks = "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
    for path in sorted(built.glob("*.html")):
        page.goto(path.as_uri())
        assert page.eval_on_selector_all("pre.code", blocks) == [], path.name


def test_pictures_load_and_headings_are_reached(open_page):
    page = open_page("04_quantizer.html#The-gradient-stops-at-the-argmin")
    top = page.locator("[id='The-gradient-stops-at-the-argmin']").bounding_box()["y"]
    assert 0 <= top < 300
    figure = page.locator("figure img").first
    figure.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('figure img').naturalWidth > 100")


def test_formulas_are_drawn(open_page):
    page = open_page("04_quantizer.html")
    page.evaluate("document.fonts.ready")
    assert page.evaluate(
        "[...document.fonts].some(f => f.family.includes('Latin Modern Math') && f.status === "
        "'loaded')"
    )
    sizes = page.eval_on_selector_all(
        "math", "all => all.map(m => m.getBoundingClientRect()).map(r => [r.width, r.height])"
    )
    assert len(sizes) > 20 and all(w > 3 and h > 3 for w, h in sizes)
    # A brace under a term is as wide as the term: the font's table of mathematics is used.
    from PIL import Image

    image = Image.open(io.BytesIO(page.locator("munder > munder").first.screenshot())).convert("L")
    brace = (
        image.crop((0, image.height * 3 // 4, image.width, image.height))
        .point(lambda v: 255 * (v < 160))
        .getbbox()
    )
    assert image.width > 40 and brace and brace[2] - brace[0] > 0.8 * image.width


GLYPHS = """letters => { const canvas = document.createElement('canvas'), c = canvas.getContext('2d', { willReadFrequently: true });
    c.font = '40px ' + getComputedStyle(document.body).fontFamily;
    return letters.map(l => { c.clearRect(0, 0, 300, 150); c.fillText(l, 20, 60);
      return [...c.getImageData(0, 0, 100, 100).data].join() }) }"""


def test_chinese_is_drawn_and_not_boxes(open_page):
    page = open_page("questions_vqvae.zh.html")
    assert page.get_attribute("html", "lang") == "zh-CN" and "码" in page.inner_text("main")
    if not page.evaluate("document.fonts.check('20px sans-serif', '码')"):
        pytest.skip("no font with Chinese letters is installed")
    box, *letters = page.evaluate(
        GLYPHS, ["\u0378", "量", "码", "题"]
    )  # the first is no character: it shows the box
    assert len({box, *letters}) == 4


def tab_to(page, condition, limit=80):
    "Press Tab until the element with the focus meets a condition."
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate(
            f"(() => {{ const e = document.activeElement; return Boolean({condition}) }})()"
        ):
            return
    pytest.fail(f"no element with {condition} is reached by {limit} tabs")


def test_the_keyboard_alone_is_enough(open_page):
    first, second = (p.stem for p in repo.notebooks(ROOT)[:2])
    page = open_page(f"{first}.html")
    page.keyboard.press("Tab")
    assert (
        page.evaluate("document.activeElement.className") == "skip"
        and page.locator(".skip").bounding_box()["x"] >= 0
    )
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page = open_page(f"{first}.html")
    tab_to(page, "e.rel === 'next'", 8)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{second}.html")
    page = open_page("questions_vqvae.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    tab_to(page, "e.tagName === 'SUMMARY' && e.closest('main')", 8)
    answer = page.locator("main details").first
    assert answer.get_attribute("open") is None
    page.keyboard.press("Enter")
    assert answer.get_attribute("open") is not None and answer.locator("p").first.is_visible()


def test_the_search_answers_in_both_languages(open_page):
    page = open_page("index.html")
    page.keyboard.press("/")
    page.keyboard.type("straight-through")
    page.wait_for_selector("#found a")
    assert "04_quantizer.html" in " ".join(
        page.eval_on_selector_all("#found a", "all => all.map(a => a.href)")
    )
    page.fill("#search", "承诺损失")
    page.wait_for_selector("#found a[href*='.zh.html']")
    page.fill("#search", "qzqzq")
    page.wait_for_selector("#found span")
    page.fill("#search", "Collapse, drawn")
    page.wait_for_selector("#found a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/04_quantizer.html#Collapse*drawn")


def test_light_and_dark(open_page):
    page = open_page("04_quantizer.html", color_scheme="dark")

    def colour():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    dark = colour()
    page.click("#theme")
    light = colour()
    assert dark != light and sum(map(int, dark[4:-1].split(","))) < 200 < 600 < sum(
        map(int, light[4:-1].split(","))
    )
    page.reload()
    assert colour() == light


def test_it_prints_without_navigation_and_unfolded(open_page):
    page = open_page("questions_vqvae.html")
    page.emulate_media(media="print")
    assert not page.locator("#contents").is_visible() and not page.locator(".top").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("main details[open]").count() == 0


def test_it_is_whole_without_scripts(open_page):
    page = open_page("04_quantizer.html", width=400, java_script_enabled=False)
    assert (
        page.locator("main h1").is_visible()
        and page.locator("#contents").is_visible()
        and not page.locator("#theme").is_visible()
    )
