"""Photograph the quiz and the mock interview for the README, in JupyterLab and Chromium: `python
recipes/picture_interview.py`.
"""

import sys
import tempfile
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"
sys.path.insert(0, str(ASSETS.parent / "tests" / "browser"))
import labs  # noqa: E402

QUIZ = "from mmgen.interview import quiz\nquiz(topic='quantizer', kinds='choice', n=3, seed=1)"
ROOM = (
    "from mmgen.interview.room import mock_interview\nmock_interview('research engineer', "
    "minutes=30, seed=0)"
)
WORDS = (
    "First the bits an image takes, then reconstruction error at equal bits, and how many "
    "of the codes are in use."
)
PANEL = ".jp-OutputArea-output:has(button)"


def photograph(page, name):
    "The widget's part of the page, as assets/NAME.png."
    page.wait_for_timeout(1500)
    page.locator(PANEL).first.screenshot(path=str(ASSETS / name))
    print(f"assets/{name}")


def quiz(page):
    "A choice, answered."
    page.wait_for_selector(f"{PANEL} input[type=radio]")
    page.locator(f"{PANEL} input[type=radio]").nth(1).check()
    page.locator(f"{PANEL} button").first.click()
    page.wait_for_timeout(1500)
    photograph(page, "quiz.png")


def interview(page):
    "A spoken question at the moment when its points are ticked."
    button = page.locator(f"{PANEL} button").first
    button.click()
    page.locator(f"{PANEL} textarea").fill(WORDS)
    button.click()
    ticks = page.locator(f"{PANEL} input[type=checkbox]")
    ticks.first.check()
    photograph(page, "interview.png")


with tempfile.TemporaryDirectory() as folder:
    labs.write_notebook(Path(folder) / "quiz.ipynb", QUIZ)
    labs.write_notebook(Path(folder) / "interview.ipynb", ROOM)
    with labs.jupyterlab(folder) as address, labs.chromium() as browser:
        for name, take in (("quiz", quiz), ("interview", interview)):
            take(labs.open_and_run(browser, address.format(f"{name}.ipynb"), width=860))
