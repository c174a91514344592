"""Another package called mmgen is told; what is damaged is restored from where it came."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mmgen import installed

ROOT = Path(__file__).parents[2]


def said(folder, code="import mmgen", *flags):
    "What Python prints, on both streams, when it runs `code` in a folder."
    env = {"PYTHONPATH": str(ROOT), "PATH": "", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, *flags, "-c", code], cwd=folder, env=env, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_alone_nothing_is_said(tmp_path):
    assert said(tmp_path) == ""


def test_a_folder_on_the_path_is_named(tmp_path, monkeypatch):
    (tmp_path / "mmgen").mkdir()
    (tmp_path / "mmgen" / "__init__.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    text = "\n".join(installed.others())
    assert f"another mmgen lies in {tmp_path / 'mmgen'}" in text and "off the import path" in text


@pytest.mark.parametrize("kind", ["dist-info", "egg-info"])
def test_another_distribution_is_named(tmp_path, monkeypatch, kind):
    (tmp_path / f"mmgen-0.7.3.{kind}").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    text = "\n".join(installed.others())
    assert "mmgen-0.7.3" in text and "pip uninstall mmgen" in text and str(tmp_path) in text


def test_ours_is_no_other(tmp_path, monkeypatch):
    (tmp_path / "mmgen_course-0.1.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), str(ROOT)])
    assert not [t for t in installed.others() if str(tmp_path) in t]


def test_files_of_another_mixed_into_ours_are_named(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data.py").write_text("")
    monkeypatch.setattr(installed, "PACKAGE", tmp_path)
    assert "hides mmgen/data.py" in "\n".join(installed.others())


def test_import_and_doctor_say_it(tmp_path):
    (tmp_path / "mmgen-0.7.3.dist-info").mkdir()
    code = f"import sys; sys.path.append({str(tmp_path)!r}); import mmgen"
    assert "mmgen-0.7.3" in said(tmp_path, code)
    code += "; from mmgen import doctor; print([t for n, t in doctor.lines() if n == 'clash'])"
    assert "PROBLEM: the distribution mmgen-0.7.3" in said(tmp_path, code, "-W", "ignore")


@pytest.mark.parametrize(
    "record,command",
    [
        ({"url": "file:///w/mmgen_course-0.1.0-py3-none-any.whl"}, "mmgen_course-0.1.0"),
        (
            {"url": "https://x.org/a/b.git", "vcs_info": {"vcs": "git"}},
            '"git+https://x.org/a/b.git"',
        ),
        ({}, "from the file that you installed it from"),
    ],
)
def test_an_installed_copy_is_restored_from_where_it_came(tmp_path, monkeypatch, record, command):
    from importlib import metadata

    class Found:
        def read_text(self, name):
            return json.dumps(record) if name == "direct_url.json" else None

    monkeypatch.setattr(installed, "PACKAGE", tmp_path / "site" / "mmgen")
    monkeypatch.setattr(metadata, "distribution", lambda name: Found())
    text = installed.repair("mnist/test.npz")
    assert command in text and not text.endswith("reinstall mmgen")


def test_a_checkout_is_restored_by_git():
    assert installed.repair("mnist/test.npz") == "git checkout -- data/mnist/test.npz"
