"""A newcomer's path in headless Chromium: open the tour, run a notebook, move a slider, fail an
exercise, take a hint, pass.
"""

import inspect
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest

from workshop import repo
from workshop.run import kill_tree
from workshop.testing import smoke_copies

ROOT = Path(__file__).parents[2]
NOTEBOOK = os.environ.get("MMGEN_BROWSER_NOTEBOOK", "00_tour")
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


def free_port():
    "A port that nothing listens on."
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "`python3 course.py lab` on a copy of the course with the smoke parameters; its address."
    folder = tmp_path_factory.mktemp("a newcomer")
    smoke_copies(ROOT, folder)
    shutil.copy(ROOT / "settings.ini", folder)
    port, log = free_port(), folder / "lab.log"
    command = [
        sys.executable,
        "-m",
        "workshop",
        "lab",
        "--no-browser",
        "--port",
        str(port),
        "--LabApp.expose_app_in_browser=True",
        "--IdentityProvider.token=newcomer",
    ]
    homes = {
        k: str(folder / v)
        for k, v in dict(
            MMGEN_HOME="home",
            JUPYTER_CONFIG_DIR="config",
            JUPYTERLAB_SETTINGS_DIR="settings",
            JUPYTERLAB_WORKSPACES_DIR="workspaces",
            JUPYTER_DATA_DIR="data dir",
        ).items()
    }
    with open(log, "w") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | homes, stdout=out, stderr=out
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token=newcomer", log)
        yield port, log.read_text()
    finally:
        kill_tree(process)


def wait_for(url, log, seconds=90):
    "Wait until a server answers."
    end = time.time() + seconds
    while time.time() < end:
        try:
            return urllib.request.urlopen(url, timeout=5)
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def page(lab):
    "JupyterLab, open in Chromium."
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=dict(width=1400, height=1000))
        page.set_default_timeout(120_000)
        page.goto(f"http://127.0.0.1:{lab[0]}/lab/tree/nbs/00_tour.ipynb?token=newcomer")
        page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell.currentWidget")
        yield page
        browser.close()


CELLS = "window.jupyterapp.shell.currentWidget.content.widgets"
TEXT = """i => window.jupyterapp.shell.currentWidget.content.widgets[i].model.sharedModel.toJSON().outputs
    .map(o => [o.text, (o.data || {})['text/plain'], o.traceback].map(t => [].concat(t || []).join('')).join('')).join('')"""
PICTURE = ".jp-OutputArea .widget-output img, .jp-OutputArea .jupyter-widgets-output-area img"
CURRENT = "window.jupyterapp.shell.currentWidget"


def sources(page):
    return page.evaluate(f"() => {CELLS}.map(c => c.model.sharedModel.getSource())")


def run_cell(page, index, source):
    "Put `source` into a cell, run it and return its output as text."
    page.evaluate(
        f"([i, s]) => {{ {CELLS}[i].model.sharedModel.setSource(s); "
        f"{CURRENT}.content.activeCellIndex = i }}",
        [index, source],
    )
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    return page.evaluate(TEXT, index)


def test_the_tour_opens(page, lab):
    page.wait_for_selector(".jp-Notebook h1")
    assert repo.title(repo.read(ROOT / "nbs/00_tour.ipynb"))[0] in page.inner_text(
        ".jp-Notebook h1"
    )
    assert "Ctrl-C here ends it" in lab[1]


def test_a_notebook_runs_to_its_end(page):
    page.evaluate(
        "p => window.jupyterapp.commands.execute('docmanager:open', {path: p})",
        f"nbs/{NOTEBOOK}.ipynb",
    )
    page.wait_for_function(
        f"n => {CURRENT}.context && {CURRENT}.context.path.endsWith(n)", arg=f"{NOTEBOOK}.ipynb"
    )
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.ready")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.ready")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    counts = page.evaluate(
        f"() => {CELLS}.filter(c => c.model.type === 'code' && "
        "c.model.sharedModel.getSource().trim())"
        ".map(c => c.model.sharedModel.execution_count)"
    )
    errors = page.evaluate(
        f"() => {CELLS}.flatMap(c => c.model.sharedModel.toJSON().outputs || [])"
        ".filter(o => o.output_type === 'error').length"
    )
    assert errors == 0 and None not in counts and counts == sorted(counts)


def test_a_slider_redraws_its_picture(page):
    cell = next(i for i, s in enumerate(sources(page)) if "interact(" in s and "ipywidgets" in s)
    page.evaluate(
        "i => window.jupyterapp.shell.currentWidget.content.scrollToItem(i, 'center')", cell
    )
    handle = page.locator(".jp-Notebook .noUi-handle").first
    handle.wait_for()
    handle.scroll_into_view_if_needed()
    picture = page.locator(PICTURE).first
    picture.wait_for()
    before, value = picture.get_attribute("src"), handle.get_attribute("aria-valuenow")
    handle.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
    assert handle.get_attribute("aria-valuenow") != value
    page.wait_for_function(
        "([sel, old]) => { const i = document.querySelector(sel); return i && i.src !== old }",
        arg=[PICTURE, before],
    )


IMPORTS = "import math\nimport torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"


def as_cell(solution, name, id):
    "A solution of the exercise engine as a learner would type it."
    lines = [
        line
        for line in textwrap.dedent(inspect.getsource(solution)).splitlines()
        if not line.startswith("@")
    ]
    text = re.sub(r"^(def|class) \w+", rf"\1 {name}", "\n".join(lines), count=1)
    return f'{IMPORTS}{text}\n\ncheck("{id}", {name})'


def simple_exercise():
    """An exercise of the notebook whose solutions need only torch: its class, one wrong solution
    with its message, one right.
    """
    from mmgen.exercises import exercise
    from mmgen.exercises.engine import PASSED, grade

    text = json.dumps(repo.read(ROOT / "nbs" / f"{NOTEBOOK}.ipynb"))
    for id in dict.fromkeys(re.findall(r'check\(\\"([\w.]+)\\", \w+\)', text)):
        ex = exercise(id)
        (_, right), (wrong, message) = (
            next(iter(ex.variants()[0].items())),
            next(iter(ex.variants()[1].values())),
        )
        if ex.kind != "write":
            continue
        given = [{}, {}]
        for solution, scope in zip((right, wrong), given):
            exec(as_cell(solution, ex.name(), id).rsplit("\n\n", 1)[0], scope)
        passed, failed = (grade(ex, scope[ex.name()]) for scope in given)
        if passed.outcome == PASSED and message in failed.message:
            return ex, wrong, message, right
    pytest.fail(f"{NOTEBOOK} has no exercise that a learner could solve with torch alone")


def test_an_exercise_is_failed_hinted_and_passed(page):
    ex, wrong, message, right = simple_exercise()
    cell = next(i for i, s in enumerate(sources(page)) if f'check("{ex.id}", {ex.name()})' in s)
    assert "not attempted" in page.evaluate(TEXT, cell)
    said = run_cell(page, cell, as_cell(wrong, ex.name(), ex.id))
    assert f"{ex.id}: wrong" in said or f"{ex.id}: error" in said
    assert message in said and "property" in said
    said = run_cell(page, cell, f'from mmgen.exercises import hint\nhint("{ex.id}")')
    assert f"Hint 1 of {len(ex.hints)}: {ex.hints[0]}" in said
    assert f"{ex.id}: passed" in run_cell(page, cell, as_cell(right, ex.name(), ex.id))
