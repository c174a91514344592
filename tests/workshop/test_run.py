"""The runner: progress, report, failures that are told in full, nothing that hangs, resume, and
mistakes named before anything runs.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from course_fixtures import make_course, simple

from workshop import readme, records, repo
from workshop.run import Display, Job, memory_mb, plan, run, run_key, step

ROOT = Path(__file__).parents[2]
PLOT = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([steps, 2, seed]); plt.show()"
WAIT = "import time\ntime.sleep(60)"


@pytest.fixture(scope="module")
def green(tmp_path_factory):
    "A course of two good notebooks, run once at smoke with two jobs; what it printed."
    big = simple("x = b'x' * 300_000_000; print(len(x)); del x")
    root = make_course(
        tmp_path_factory.mktemp("a course"),
        "a.steps = 7",
        n01_a=simple("print(steps)", PLOT),
        n02_b=big,
    )
    before = {p.name: p.read_bytes() for p in (root / "nbs").iterdir()}
    command = [
        sys.executable,
        "-m",
        "workshop",
        "run",
        "--profile",
        "smoke",
        "--jobs",
        "2",
        "--record",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    return root, before, done


def outputs(path):
    return "".join(
        t for c in repo.read(path)["cells"] for o in c.get("outputs", []) for t in o.get("text", [])
    )


def test_green_run(green):
    root, before, done = green
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "2 passed, 0 failed" in done.stdout
        and "01_a" in done.stdout
        and "peak MB" in done.stdout
        and "running 01_a" in done.stdout
    )
    assert {p.name: p.read_bytes() for p in (root / "nbs").iterdir()} == before, (
        "the runner wrote into nbs/"
    )
    assert outputs(root / "run/smoke/01_a.ipynb").startswith("7\n"), (
        "the profile's parameter did not arrive"
    )


def test_report_holds_every_figure(green):
    page = (green[0] / "run/smoke/report.html").read_text(encoding="utf8")
    assert (
        page.count("data:image/png;base64") == 1
        and "One question? (cell" in page
        and "01_a" in page
        and "02_b" in page
    )


def test_peak_memory_is_that_of_the_kernel(green):
    state = json.loads((green[0] / "run/smoke/state.json").read_text())
    assert 300 < state["02_b"]["peak_mb"] < 1500


def test_record_and_readme(green):
    root = green[0]
    entry = records.load(root)[0]
    assert (entry["notebook"], entry["profile"], entry["passed"]) == ("01_a", "smoke", True)
    assert entry["minutes"] > 0 and "cores" in entry["machine"]
    text = (root / "README.md").read_text(encoding="utf8")
    assert (
        "[01 One question?](nbs/01_a.ipynb)" in text and entry["date"] in text and "colab" in text
    )
    assert "A promise." in text and readme.write_readme(root) is False


def test_resume_keeps_what_is_unchanged(green, capsys):
    root = green[0]
    assert run(profile="smoke", resume=True, root=root) == 0
    assert "2 kept from an earlier run" in capsys.readouterr().out
    key = run_key(root, root / "nbs/01_a.ipynb", {"steps": 7})
    assert (
        key
        == run_key(root, root / "nbs/01_a.ipynb", {"steps": 7})
        != run_key(root, root / "nbs/01_a.ipynb", {"steps": 8})
    )


def test_expected_time_is_told(green, capsys):
    out = green[0] / "run/smoke"
    stream = io.StringIO()
    job = Job(green[0] / "nbs/01_a.ipynb", {}, "", expected=75.0)
    job.started = job.said = time.time() - 30
    job.cell, job.of = 2, 5
    Display(2, stream).status([job], 1)
    assert "01_a cell 2/5 0:30 of about 1:15" in stream.getvalue() and out.exists()


@pytest.fixture(scope="module")
def red(tmp_path_factory):
    "A course with a failing, a killed, an endless and a good notebook."
    root = make_course(
        tmp_path_factory.mktemp("red"),
        n01_fails=simple("y = 1", "def f(): return 1 / (y - 1)\nf()", "print('after')"),
        n02_killed=simple("import os\nos.kill(os.getpid(), 9)"),
        n03_endless=simple("while True: pass"),
        n04_good=simple("1"),
    )
    start = time.time()
    command = [
        sys.executable,
        "-m",
        "workshop",
        "run",
        "--profile",
        "smoke",
        "--jobs",
        "4",
        "--cell-timeout",
        "6",
    ]
    return (
        root,
        subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120),
        time.time() - start,
    )


def test_failure_names_cell_source_and_traceback(red):
    root, done, _ = red
    assert done.returncode == 1 and "1 passed, 3 failed" in done.stdout
    assert (
        "01_fails, cell 4 of 5" in done.stdout
        and "def f(): return 1 / (y - 1)" in done.stdout
        and "ZeroDivisionError" in done.stdout
    )
    page = (root / "run/smoke/report.html").read_text(encoding="utf8")
    assert "ZeroDivisionError" in page and "Failed at cell 4" in page


def test_a_killed_kernel_does_not_hang(red):
    assert "02_killed" in red[1].stdout and "the kernel died" in red[1].stdout and red[2] < 90


def test_an_endless_cell_is_stopped(red):
    assert "the cell ran past its limit" in red[1].stdout and "while True: pass" in red[1].stdout


def test_notebooks_after_a_failure_still_run(red):
    assert "passed  04_good" in red[1].stdout


def test_nothing_is_left_running(red):
    psutil = pytest.importorskip("psutil")
    ours = [
        p
        for p in psutil.process_iter(["cmdline"])
        if str(red[0]) in " ".join(p.info["cmdline"] or [])
    ]
    assert not ours


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_interruption_says_how_to_resume(tmp_path, sign):
    root = make_course(tmp_path / "course", n01_quick=simple("1"), n02_slow=simple(WAIT))
    command = [sys.executable, "-u", "-m", "workshop", "run", "--profile", "smoke"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "running 02_slow" in line:
            break
    time.sleep(5)
    process.send_signal(sign)
    rest = process.stdout.read()
    code = process.wait(20)
    assert (
        code == 130
        and "Interrupted in 02_slow" in rest
        and "mmgen run --profile smoke --resume" in rest
    )
    state = json.loads((root / "run/smoke/state.json").read_text())
    assert state["01_quick"]["passed"] and "02_slow" not in state


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path / "c", n01_alpha=simple("1"), n02_beta=simple("1"))


def set_smoke(root, text):
    file = root / "settings.ini"
    file.write_text(file.read_text().replace("[smoke]\n", f"[smoke]\n{text}\n"))


@pytest.mark.parametrize(
    "text,words",
    [
        ("alfa.steps = 1", "no notebook is called 'alfa'; did you mean 'alpha'?"),
        ("alpha.stepz = 1", "the notebook has no parameter 'stepz'; did you mean 'steps'?"),
        ("alpha.steps = many", "'many' is not a Python literal"),
        ("alpha.steps = 'many'", "'many' is a str; the default 3 is a int"),
        ("steps = 1", "expected NOTEBOOK.PARAMETER = VALUE"),
    ],
)
def test_mistakes_in_a_profile_are_named_before_anything_runs(course, text, words):
    set_smoke(course, text)
    with pytest.raises(repo.CourseError) as e:
        run(profile="smoke", root=course)
    assert (
        words in str(e.value)
        and "settings.ini [smoke]" in str(e.value)
        and not (course / "run").exists()
    )


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(profile="smok"), "no profile is called 'smok'; did you mean 'smoke'?"),
        (dict(names=["bata"]), "did you mean 'beta'?"),
        (dict(names=["7"]), "no notebook is called '7'; there are: 01_alpha"),
        (dict(start="gamma"), "no notebook is called 'gamma'"),
    ],
)
def test_mistakes_in_a_command_are_named(course, options, words):
    with pytest.raises(repo.CourseError) as e:
        run(root=course, **options)
    assert words in str(e.value)


def test_which_notebooks(course):
    def names(**o):
        return [p.stem for p, _ in plan(course, profile="smoke", **o)]

    assert names() == ["01_alpha", "02_beta"]
    assert (
        names(names=["beta"]) == names(names=["2"]) == names(names=["02_beta.ipynb"]) == ["02_beta"]
    )
    assert names(start="02") == ["02_beta"] and names(names=["02", "alpha"]) == [
        "01_alpha",
        "02_beta",
    ]


def test_a_silent_worker_is_told_of():
    job = Job(Path("x.ipynb"), {}, "")
    job.started, job.last_words = time.time(), lambda: "segmentation fault"
    step(job, None)
    assert not job.result["passed"] and job.result["failed"]["traceback"] == "segmentation fault"


def test_memory_of_nothing_is_zero():
    assert memory_mb(2**30) == 0


def test_a_reply_that_did_not_wake_the_client_is_found():
    import asyncio
    from queue import Empty

    from workshop.kernels import look_often

    asked = []

    async def get_msg(timeout):
        asked.append(timeout)
        if len(asked) < 3:
            raise Empty
        return "reply"

    assert asyncio.run(look_often(get_msg)(timeout=300)) == "reply" and max(asked) <= 0.5

    async def nothing(timeout):
        await asyncio.sleep(timeout)
        raise Empty

    with pytest.raises(Empty):
        asyncio.run(look_often(nothing)(timeout=0.1))
