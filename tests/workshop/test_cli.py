"""The `mmgen` command: instant help, mistakes told in one line, links that follow settings.ini, a
doctor that finds things.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from course_fixtures import make_course, simple

from mmgen import doctor
from workshop import cli, links, publish, records, repo

ROOT = Path(__file__).parents[2]


def test_help_is_instant():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "workshop", "--help"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "lab" in done.stdout and "doctor" in done.stdout
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported and not imported & {
        "torch",
        "numpy",
        "matplotlib",
        "papermill",
        "nbformat",
        "jupyterlab",
        "yaml",
    }


def test_importing_the_package_is_light():
    code = (
        "import sys, mmgen; print([m for m in ('torch', 'matplotlib', 'numpy', 'IPython') "
        "if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
        == "[]"
    )


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(make_course(tmp_path / "c", n01_alpha=simple("1")))
    assert cli.main(["run", "--profile", "gpuu"]) == 2
    assert (
        capsys.readouterr().err
        == "course.py run: no profile is called 'gpuu'; did you mean 'gpu'?\n"
    )
    with pytest.raises(SystemExit):
        cli.main(["run", "--profil", "x", "--unknown"])


def test_outside_a_checkout_it_says_so(tmp_path):
    with pytest.raises(repo.CourseError, match="run this inside a clone"):
        repo.find_root(tmp_path)


def test_lab_opens_the_tour(tmp_path, monkeypatch):
    root, seen = make_course(tmp_path / "c", n00_tour=simple("1"), n01_a=simple("1")), []

    class Process:
        def __init__(self, command, cwd):
            seen.append((command, cwd))

        def wait(self):
            return 0

    monkeypatch.chdir(root)
    monkeypatch.setattr(cli.subprocess, "Popen", Process)
    assert cli.main(["lab", "--no-browser", "--port", "9999"]) == 0
    command, cwd = seen[0]
    assert cwd == root and {
        "--LabApp.default_url=/lab/tree/nbs/00_tour.ipynb",
        "--port=9999",
        "--no-browser",
    } <= set(command)
    cli.main(["lab", "a"])
    assert "--LabApp.default_url=/lab/tree/nbs/01_a.ipynb" in seen[1][0]


def test_links_follow_one_value(tmp_path, monkeypatch, capsys):
    root = make_course(tmp_path / "c", n01_a=simple("1"))
    readme = root / "README.md"
    monkeypatch.chdir(root)
    assert cli.main(["links"]) == 0 and "changed 01_a.ipynb" in capsys.readouterr().out
    first = (root / "nbs/01_a.ipynb").read_bytes()
    cli.main(["links"])
    assert "in step" in capsys.readouterr().out and (root / "nbs/01_a.ipynb").read_bytes() == first
    settings = root / "settings.ini"
    settings.write_text(settings.read_text().replace("owner = someone", "owner = fork"))
    cli.main(["links"])
    text, page = (root / "nbs/01_a.ipynb").read_text(), readme.read_text()
    assert "fork/course/blob/main/nbs/01_a.ipynb" in text
    assert "git clone https://github.com/fork/course.git\ncd course\npython3 course.py" in page
    assert "https://github.com/fork/course/actions/workflows/ci.yml" in page
    assert all("git+https://github.com/fork/course.git@main" in t for t in (text, page))
    assert "someone" not in text + page
    cells = json.loads(text)["cells"]
    assert (
        cells[1]["metadata"]["tags"] == ["setup"]
        and cells[1]["id"]
        and text.count("colab-badge") == 1
    )


def test_publish_writes_every_address_once_and_then_nothing(tmp_path, monkeypatch, capsys):
    nb = simple("1")
    link = "<a href='https://github.com/old/repo/blob/main/nbs/01_a.ipynb#One'>"
    shown = dict(output_type="display_data", metadata={}, data={"text/html": [link]})
    nb["cells"][-1]["outputs"] = [shown]
    root = make_course(tmp_path / "c", n01_a=nb)
    settings = root / "settings.ini"
    settings.write_text(settings.read_text().replace("owner = someone", "owner ="))
    monkeypatch.chdir(root)
    cli.main(["links"])
    before = (root / "nbs/01_a.ipynb").read_text() + (root / "README.md").read_text()
    assert (
        "github.com" not in before and "colab.research" not in before and "git clone" not in before
    )
    assert "href='01_a.ipynb#One'" in before and "MMGEN_SOURCE" in before
    capsys.readouterr()
    assert cli.main(["publish", "you/your-course", "--branch", "trunk"]) == 0
    assert capsys.readouterr().out.split() == [
        *("changed", "settings.ini", "changed", "01_a.ipynb", "changed", "README.md")
    ]
    after = (root / "nbs/01_a.ipynb").read_text() + (root / "README.md").read_text()
    assert "href='https://github.com/you/your-course/blob/trunk/nbs/01_a.ipynb#One'" in after
    assert "git+https://github.com/you/your-course.git@trunk" in after
    assert after.count("colab.research.google.com/github/you/your-course/blob/trunk") == 2
    cli.main(["publish", "you/your-course", "--branch", "trunk"])
    assert "already" in capsys.readouterr().out
    assert cli.main(["publish", "nonsense"]) == 2 and "OWNER/NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    "here,says", [("", ""), ("Someone/course", ""), ("fork/course", "publish fork/course")]
)
def test_a_workflow_in_another_repository_is_told_the_command(tmp_path, here, says):
    root = make_course(tmp_path / "c", n01_a=simple("1"))
    assert says in publish.told(root, here) and bool(says) == bool(publish.told(root, here))


def test_runs_of_a_gpu_machine_are_merged(tmp_path, monkeypatch):
    root = make_course(tmp_path / "c", n01_a=simple("1"))
    entry = dict(
        notebook="01_a",
        profile="gpu",
        date="2026-11-01",
        machine="16 cores, NVIDIA H200",
        python="3.12.3",
        torch="2.11.0",
        minutes=1.5,
        peak_mb=2000,
        gpu_mb=900,
        passed=True,
    )
    (tmp_path / "runs.json").write_text(json.dumps([entry]))
    monkeypatch.chdir(root)
    cli.main(["links", "--merge", str(tmp_path / "runs.json")])
    assert (
        records.load(root) == [entry]
        and "1.5 min" in (root / "README.md").read_text()
        and "H200" in (root / "README.md").read_text()
    )
    records.merge(root, [entry | {"date": "2026-10-01", "minutes": 9.0}])
    assert records.load(root) == [entry], "an older run replaced a newer one"


def test_a_broken_record_says_how_to_restore_it(tmp_path):
    root = make_course(tmp_path / "c")
    (root / records.FILE).parent.mkdir(parents=True)
    (root / records.FILE).write_text("[{")
    with pytest.raises(repo.CourseError, match="git checkout"):
        records.load(root)


@pytest.mark.parametrize("where", [("a", "b", "c"), ("", "", "main")])
def test_setup_source_is_python_for_a_notebook(where):
    from IPython.core.inputtransformer2 import TransformerManager

    compile(
        TransformerManager().transform_cell(links.setup_source(repo.Repository(*where))),
        "cell",
        "exec",
    )


@pytest.mark.parametrize(
    "file,source,says",
    [
        ("", "", "mmgen is missing; the lines above say how to give it"),
        ("mmgen_course-0.1.0-py3-none-any.whl", "", "INSTALL mmgen_course-0.1.0"),
        ("", "/mounted/course", "INSTALL /mounted/course"),
        ("mmgen/README.md", "mmgen", "INSTALL mmgen"),
        ("mmgen/__init__.py", "", "another mmgen lies in "),
    ],
)
def test_the_set_up_cell_takes_a_wheel_a_folder_or_an_address(tmp_path, file, source, says):
    cell = links.setup_source(repo.Repository("", "", "main"))
    cell = cell.replace("%pip install -q {source}", "print('INSTALL', source)")
    if file:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("")
    env = {"PATH": "", "MMGEN_SOURCE": source}
    bare = [sys.executable, "-S", "-c", cell]  # -S: nothing that is installed is seen
    done = subprocess.run(bare, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert says in done.stdout + done.stderr


def test_doctor_names_what_was_found(capsys):
    doctor.report()
    out = capsys.readouterr().out
    assert all(
        word in out
        for word in (
            "mmgen",
            "python",
            "torch",
            "threads",
            "cores",
            "GB free",
            "jupyterlab",
            "data",
        )
    )


def test_doctor_names_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "versions", lambda: {"torch": "2.13.0", "papermill": None})
    assert doctor.report() == 1 and "missing   papermill" in capsys.readouterr().out
