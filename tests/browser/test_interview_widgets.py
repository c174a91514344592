"""Quiz and mock interview in JupyterLab, in headless Chromium: both languages, by keyboard alone,
on a narrow page, to the report.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import labs  # noqa: E402

pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (python3 course.py setup-dev)"
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not labs.CHROMIUM, reason="Chromium is not installed (sudo apt install chromium)"
    ),
]
ROOM = """from mmgen.interview import room
from mmgen.interview.items import all_items
from mmgen.interview.kept import keep_session, load_session
from mmgen.interview.mock import Interview
from mmgen.interview.widgets import show

items = all_items(lang={lang!r}, kinds=("oral", "choice", "numeric"))
def make(resume):
    if resume: return Interview.resume(load_session(), items=items, keep=keep_session)
    return Interview("research engineer", "screening", 15, {lang!r}, 3, items=items, keep=keep_session)
show(room.Room(make, {lang!r}).box, "an interview")
"""
QUIZ = (
    "from mmgen.interview import quiz\nquiz(lang={lang!r}, n=2, seed=1, kinds=('choice', 'oral'))"
)
FOCUSED = "() => document.activeElement.innerText || document.activeElement.tagName"
WIDE = """sel => { const box = document.querySelector(sel), right = box.getBoundingClientRect().right;
    return [...box.querySelectorAll('*')].filter(e => e.offsetParent && e.getBoundingClientRect().right > right + 1
        && getComputedStyle(e).position !== 'absolute').map(e => e.outerHTML.slice(0, 120)) }"""
GLYPHS = """sel => { const font = '32px ' + getComputedStyle(document.querySelector(sel)).fontFamily;
    return [...'码本潜空间扩散'].map(c => { const k = document.createElement('canvas'); k.width = k.height = 40;
        const x = k.getContext('2d'); x.font = font; x.fillText(c, 2, 34); return k.toDataURL() }) }"""
BOX = ".mmgen-interview"


@pytest.fixture(scope="module", params=["en", "zh"])
def lab(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"lab {request.param}")
    labs.write_notebook(folder / "room.ipynb", ROOM.format(lang=request.param))
    labs.write_notebook(folder / "quiz.ipynb", QUIZ.format(lang=request.param))
    with labs.jupyterlab(folder) as address, labs.chromium() as browser:
        yield request.param, folder, address, browser


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(80)


def state(page):
    return page.inner_text(BOX)


def wait_for_change(page, before, box=BOX):
    """Until the text is another one and has stood still for a while: a step is several messages of
    the kernel.
    """
    page.wait_for_function(
        "([s, old]) => document.querySelector(s).innerText !== old", arg=[box, before]
    )
    last = None
    while last != (last := page.inner_html(box)):
        page.wait_for_timeout(500)


def answer_by_keyboard(page):
    """One step of the interview with the keyboard alone; the focus stands on the main button before
    and after.
    """
    before = state(page)
    box = page.locator(BOX)
    radios, ticks = (
        box.locator("input[type=radio]").count(),
        box.locator("input[type=checkbox]").count(),
    )
    press(page, *["Shift+Tab"] * (ticks or 1))
    if radios or ticks:
        press(page, "Space")
    else:
        page.keyboard.type(
            "3.5"
            if box.locator("input[type=text]").count()
            else "my words <script>alert(1)</script>"
        )
    press(page, *["Tab"] * (ticks or 1), "Enter")
    wait_for_change(page, before)


def test_an_interview_by_keyboard_to_its_report(lab):
    lang, folder, address, browser = lab
    page = labs.open_and_run(browser, address.format("room.ipynb"))
    page.wait_for_selector(f"{BOX} button")
    page.locator(f"{BOX} button").first.focus()
    first = state(page)
    press(page, "Enter")
    wait_for_change(page, first)
    for _ in range(60):
        if page.locator(f"{BOX} .mmgen-report").count():
            break
        answer_by_keyboard(page)
    assert page.inner_text(f"{BOX} h1") == ("模拟面试" if lang == "zh" else "Mock interview")
    assert page.evaluate(WIDE, BOX) == []
    (written,) = folder.glob("interview-*.html")
    report = browser.new_page(viewport=dict(width=800, height=1000))
    alerts = []
    report.on("dialog", lambda d: (alerts.append(d.message), d.dismiss()))
    report.goto(written.as_uri())
    assert not alerts and "my words <script>alert(1)</script>" in report.inner_text("body")
    assert report.locator("details").count() > 3 and not report.locator("details[open]").count()
    shown = report.locator(".print").first
    assert not shown.is_visible()
    report.emulate_media(media="print")
    assert (
        shown.is_visible()
        and shown.inner_text().strip()
        and not report.locator("details").first.is_visible()
    )
    if lang == "zh":
        assert len(set(report.evaluate(GLYPHS, "body"))) == 7, (
            "Chinese letters are drawn as equal boxes"
        )


def test_an_interview_fits_a_narrow_page_and_goes_on_after_a_reload(lab):
    lang, folder, address, browser = lab
    page = labs.open_and_run(browser, address.format("room.ipynb"), width=400, height=900)
    page.wait_for_selector(f"{BOX} button")
    for step in range(5):
        before = state(page)
        if step == 2:
            page.locator(f"{BOX} textarea").fill("typed before the reload")
        else:
            page.locator(f"{BOX} button").first.click()
            wait_for_change(page, before)
        assert page.evaluate(WIDE, BOX) == []
        if step == 2:
            page.wait_for_timeout(1500)
            break
        if page.locator(f"{BOX} input[type=checkbox]").count():
            page.locator(f"{BOX} button").first.click()
        while not page.locator(f"{BOX} textarea").count():
            page.locator(f"{BOX} button").last.click()
            page.wait_for_timeout(500)
    page.close()
    page = labs.open_and_run(browser, address.format("room.ipynb"), width=400, height=900)
    page.wait_for_selector(f"{BOX} button:nth-of-type(2)")
    page.locator(f"{BOX} button").nth(1).click()
    page.wait_for_selector(f"{BOX} textarea")
    assert page.locator(f"{BOX} textarea").input_value() == "typed before the reload"


def test_a_quiz_by_keyboard(lab):
    lang, folder, address, browser = lab
    page = labs.open_and_run(browser, address.format("quiz.ipynb"))
    area = (
        ".jp-OutputArea-output .widget-vbox, .jp-OutputArea-output "
        ".jupyter-widgets.widget-container"
    )
    page.wait_for_selector(f"{area} button")
    button = page.locator(".jp-OutputArea-output button.mod-primary").first
    button.focus()
    for _ in range(30):
        text = page.inner_text(".jp-OutputArea-output")
        if not button.is_enabled():
            break
        if page.locator(".jp-OutputArea-output input[type=radio]").count():
            press(page, "Shift+Tab", "Space", "Tab")
        press(page, "Enter")
        wait_for_change(page, text, ".jp-OutputArea-output")
    assert not button.is_enabled() and ("2" in page.inner_text(".jp-OutputArea-output"))
    if lang == "zh":
        assert len(set(page.evaluate(GLYPHS, ".jp-OutputArea-output"))) == 7, (
            "Chinese letters are drawn as equal boxes"
        )
