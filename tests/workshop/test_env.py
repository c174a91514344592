"""environment.yml, for conda users, asks for what pyproject.toml asks for."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def listed(name):
    "Requirements of one list in pyproject.toml as {name: range}."
    block = re.search(
        rf"^{name} = \[(.*?)\]\s*$",
        (ROOT / "pyproject.toml").read_text(encoding="utf8"),
        re.S | re.M,
    )[1]
    found = re.findall(r'"([A-Za-z0-9_.-]+)([^"\[]*)"', block)
    return {n.lower(): r for n, r in found}


def test_same_requirements():
    wanted = listed("dependencies") | listed("course")
    wanted["pytorch"] = wanted.pop("torch")
    env = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf8"))
    given = dict(
        re.fullmatch(r"([A-Za-z0-9_.-]+)(.*)", d).groups()
        for d in env["dependencies"]
        if isinstance(d, str)
    )
    python, _ = given.pop("python"), given.pop("pip")
    by_pip = wanted.pop("fsrs")  # comes with `pip install -e .[course]`
    assert given == wanted and by_pip and env["dependencies"][-1] == {"pip": ["-e .[course]"]}
    assert f'requires-python = "{python}"' in (ROOT / "pyproject.toml").read_text(encoding="utf8")
    assert env["name"] == "mmgen" and env["channels"] == ["conda-forge"]
