"""Colab: what it has suffices, installing there changes nothing it has, and a notebook runs there
alone.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workshop import colab, repo

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("requirement", colab.base_requirements(ROOT), ids=lambda r: r.name)
def test_colabs_versions_satisfy_the_requirements(requirement):
    name, has = colab.normal(requirement.name), colab.versions(ROOT)
    if name in colab.NOT_THERE:
        return
    assert name in has, (
        f"{name} is not on Colab: add it to NOT_THERE if it is small and changes nothing there"
    )
    assert requirement.specifier.contains(has[name]), (
        f"Colab has {name} {has[name]}; pyproject.toml wants {requirement.specifier}"
    )


def test_newer_numpy_of_colab_too():
    assert next(r for r in colab.base_requirements(ROOT) if r.name == "numpy").specifier.contains(
        "2.1.3"
    )


def wheel_or_skip(folder):
    "The wheel, or a skip where the build tools cannot be fetched."
    try:
        return colab.build_wheel(ROOT, folder)
    except RuntimeError as e:
        if "from versions: none" in str(e) or "Connection" in str(e):
            pytest.skip("no network: the wheel's build tools cannot be fetched")
        raise


@pytest.mark.slow
def test_wheel_holds_the_data_and_finds_it(tmp_path):
    import zipfile

    wheel = wheel_or_skip(tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    data = [
        p.relative_to(ROOT / "data").as_posix()
        for p in (ROOT / "data").rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    ]
    assert not [n for n in data if f"mmgen/_data/{n}" not in names and not n.endswith((".pyc",))]
    assert (
        any(n.endswith("licenses/LICENSE") for n in names) and "mmgen/_data/settings.ini" in names
    )
    assert not any(n.startswith(("nbs", "tests")) for n in names)
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import mmgen, json; from mmgen.core import data_path; from mmgen.data import DigitImages\n"
        "print(json.dumps([mmgen.__file__, str(data_path('questions')), len(DigitImages('test'))]))"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    file, questions, n = json.loads(done.stdout or done.stderr)
    assert str(tmp_path) in file and "_data" in questions and n == 10_000


@pytest.mark.slow
def test_notebooks_run_alone_with_colabs_versions_and_change_none():
    if shutil.disk_usage(ROOT).free < 3e9:
        pytest.skip("less than 3 GB free")
    names = [p.stem for p in repo.notebooks(ROOT) if p.stem[:2] in ("00", "04")]
    done = subprocess.run(
        [sys.executable, "-m", "workshop.colab", *names], cwd=ROOT, capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    if "from versions: none" in said:
        pytest.skip("no network: Colab's versions cannot be fetched")
    assert done.returncode == 0, said[-4000:]
    assert "on Colab it would add fsrs, lightning-utilities, torchmetrics\n" in done.stdout
    assert (
        "added fsrs, lightning-utilities, mmgen-course, torchmetrics and changed nothing"
        in done.stdout
    )
