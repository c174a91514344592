"""The README: its examples run, its commands exist, its links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workshop import readme

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, re.S | re.M)
COMMANDS = re.findall(r"^```bash\n(.*?)^```", TEXT, re.S | re.M)


@pytest.mark.parametrize("source", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_runs(source, tmp_path):
    from PIL import Image

    (tmp_path / "my_pictures").mkdir()
    Image.new("RGB", (50, 40), "red").save(tmp_path / "my_pictures" / "a.png")
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_commands():
    assert (
        COMMANDS[0].strip().splitlines()[-1] == "python3 course.py"
        and COMMANDS[1].strip() == "python3 course.py test"
    )
    assert "readme 2" in (ROOT / ".ci/run").read_text(), "CI takes the test command from the README"


def test_named_commands_exist():
    from workshop.cli import parser

    known = set(parser()._subparsers._group_actions[0].choices) | {"test", "setup"}
    assert set(re.findall(r"course\.py (\w+)", TEXT)) <= known


def test_links_lead_somewhere():
    targets = [t for t in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT)]
    lacking = [t for t in targets if not (ROOT / t).exists() and t != "assets/results.png"]
    assert targets and not lacking, lacking


def test_picture_of_results_is_there():
    if not (ROOT / "assets/results.png").exists():
        assert not os.environ.get("CI"), "assets/results.png is missing"
        pytest.skip("assets/results.png is not made yet")


def test_how_the_minutes_were_measured_is_said():
    run = {"profile": "cpu", "machine": "2 cores", "python": "3.11.7"}
    assert readme.measured([]) == []
    assert "at once" not in readme.measured([run, run | {"at_once": 1}])[1]
    assert "Up to 3 notebooks ran at once" in readme.measured([run, run | {"at_once": 3}])[1]
