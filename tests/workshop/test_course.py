"""course.py: the right PyTorch for the machine, messages that say what to do, set-up that survives
being stopped.
"""

import ast
import importlib.util
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A fresh import of course.py whose environment lies in a folder with a space and whose pip is
    a stand-in.
    """
    spec = importlib.util.spec_from_file_location("course", ROOT / "course.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / "a folder" / ".venv"
    for name, value in dict(
        VENV=venv,
        STAMP=venv / "stamp.json",
        LOG=venv / "log",
        UNFINISHED=venv / "unfinished",
        LOCK=tmp_path / "lock",
    ).items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "torch_build", lambda *_: "cpu")
    return module


def test_standard_library_only_and_old_syntax():
    text = (ROOT / "course.py").read_text(encoding="utf8")
    tree = ast.parse(text, feature_version=(3, 6))
    modules = {n.names[0].name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import)}
    modules |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert modules <= set(sys.stdlib_module_names)


def test_help_needs_nothing():
    done = subprocess.run(
        [sys.executable, str(ROOT / "course.py"), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "python3 course.py test" in done.stdout


def test_too_old_python(course, monkeypatch):
    monkeypatch.setattr(course, "newer_python", lambda: None)
    words = r"This is Python 3\.8\.18; the course needs 3\.10 or newer"
    with pytest.raises(course.SetupError, match=words):
        course.check_python((3, 8, 18))
    monkeypatch.setattr(course, "newer_python", lambda: "python3.12")
    with pytest.raises(course.SetupError, match=r"python3\.12 course\.py"):
        course.check_python((3, 9, 1))
    course.check_python((3, 10, 0))


def test_debian_without_venv(course):
    with pytest.raises(course.SetupError, match=r"sudo apt install python3-venv python3\.\d+-venv"):
        course.check_venv_module(False)
    course.check_venv_module(True)


def test_no_space(course):
    with pytest.raises(course.SetupError, match=r"0\.5 GB free .* needs about 3 GB"):
        course.check_disk("cpu", 5e8)
    course.check_disk("cpu", 5e9)


@pytest.mark.parametrize(
    "text,words",
    [
        (
            "WARNING: Retrying ... NewConnectionError: [Errno -3] Temporary failure in name "
            "resolution\n"
            "ERROR: No matching distribution found for torch\n  raise ResolutionImpossible(causes)",
            "network did not answer",
        ),
        (
            "WARNING: NewConnectionError: no route\nERROR: Cannot install torch==2.13.0+cpu "
            "because these package versions have conflicting "
            "dependencies.\nERROR: ResolutionImpossible: for help visit",
            "CPU builds of PyTorch come from",
        ),
        (
            "WARNING: NewConnectionError: one index did not answer\nerror: "
            "subprocess-exited-with-error\nKeyError: 'x'",
            "Set-up stopped.",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
            "device",
            "The disk is full",
        ),
        (
            "ERROR: No matching distribution found for torch==2.13.0",
            "There is no torch==2.13.0 for Python",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 13] Permission "
            "denied: 'x'",
            "yours to write",
        ),
        ("SSLError: certificate verify failed", "PIP_CERT"),
        (
            "2026-01-01T00:00:00,000 ERROR: something odd: 7",
            "Set-up stopped. Run this command again",
        ),
    ],
)
def test_what_pip_says_is_explained(course, monkeypatch, text, words):
    monkeypatch.undo()
    said = course.explain(text)
    assert words in said and "Traceback" not in said
    if "something odd" in text:
        assert "    ERROR: something odd: 7" in said, (
            "pip's own words are shown, without time stamps"
        )


@pytest.mark.parametrize(
    "system,gpu,build",
    [
        ("Linux", False, "cpu"),
        ("Linux", True, "cuda"),
        ("Darwin", False, "plain"),
        ("Windows", True, "plain"),
    ],
)
def test_build_of_torch(course, monkeypatch, system, gpu, build):
    monkeypatch.undo()
    assert course.torch_build(system, gpu) == build
    assert ("--extra-index-url" in course.torch_args(build)) == (build == "cpu")
    assert course.torch_args(build)[-1] == course.TORCH + (
        "+cpu" if build == "cpu" else ""
    ) and "--retries" in course.torch_args(build)


def test_nvidia_smi_must_work(course, monkeypatch):
    monkeypatch.setattr(course.shutil, "which", lambda name: "/usr/bin/" + name)
    for answer, has in [
        ((0, "GPU 0: H200"), True),
        ((9, "couldn't communicate with the driver"), False),
        ((0, "No devices"), False),
    ]:
        monkeypatch.setattr(course, "quiet", lambda command, a=answer: a)
        assert course.has_nvidia() is has


def test_gpu_packages_are_known(course):
    found = course.gpu_packages(
        ["torch", "nvidia-cublas", "triton", "cuda-bindings", "numpy", "tritonclient"]
    )
    assert found == ["cuda-bindings", "nvidia-cublas", "triton"]


def fake_pip(course, monkeypatch, fail=None):
    "Stand-in for pip: notes its arguments, and fails at the call that contains `fail`."
    calls = []

    def pip(args, what, lock=None):
        calls.append(" ".join(args))
        if fail and fail in calls[-1]:
            raise course.SetupError("pip failed")

    monkeypatch.setattr(course, "pip", pip)
    monkeypatch.setattr(
        course, "make_environment", lambda: course.VENV.mkdir(parents=True, exist_ok=True)
    )
    answers = {
        "pip list": "[]",
        "import torch": "mmgen 0.1.0",
        "import mmgen": "",
        "mmgen.installed": "",
        "pip config": "",
    }
    monkeypatch.setattr(
        course,
        "ask",
        lambda *a: next(v for k, v in answers.items() if k in " ".join(a).replace("-m pip", "pip")),
    )
    return calls


def test_torch_comes_first_and_nothing_for_gpus(course, monkeypatch, capsys):
    calls = fake_pip(course, monkeypatch)
    course.set_up("course")
    assert (
        len(calls) == 2 and course.TORCH + "+cpu" in calls[0] and "--editable .[course]" in calls[1]
    )
    assert course.read_stamp()["extras"] == ["course"] and not course.UNFINISHED.exists()
    assert "[1/4]" in capsys.readouterr().out


def test_second_time_does_nothing(course, monkeypatch):
    calls = fake_pip(course, monkeypatch)
    course.set_up("course")
    n = len(calls)
    course.set_up("course")
    assert len(calls) == n
    course.set_up("dev")
    assert ".[dev]" in calls[-1] and course.read_stamp()["extras"] == ["course", "dev"]
    monkeypatch.setattr(course, "key", lambda build: "another")  # requirements or Python changed
    n = len(calls)
    course.set_up("course")
    assert len(calls) > n


def test_a_gpu_package_that_came_in_is_named(course, monkeypatch):
    fake_pip(course, monkeypatch)
    monkeypatch.setattr(
        course,
        "ask",
        lambda *a: json.dumps([{"name": "nvidia-nccl-cu13"}]) if "list" in a else "24.0",
    )
    with pytest.raises(course.SetupError, match="nvidia-nccl-cu13"):
        course.check_result("cpu")


def test_failed_set_up_leaves_no_stamp(course, monkeypatch, capsys):
    fake_pip(course, monkeypatch, fail="--editable")
    assert course.main(["setup"]) == 1 and "pip failed" in capsys.readouterr().err
    assert not course.STAMP.exists() and not course.UNFINISHED.exists()
    fake_pip(course, monkeypatch)
    assert course.main(["setup"]) == 0 and course.STAMP.exists()


def test_killed_set_up_begins_with_a_new_environment(course, monkeypatch):
    fake_pip(course, monkeypatch)

    def killed(args, what, lock=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(course, "pip", killed)
    assert course.main(["setup"]) == 130 and course.UNFINISHED.exists()
    monkeypatch.undo()


def test_environment_is_made_repaired_and_never_taken(course, monkeypatch):
    made = []

    def quiet(command):
        made.append(command)
        return 0, ""

    monkeypatch.setattr(course, "quiet", quiet)
    monkeypatch.setattr(course, "ask", lambda *a: None)
    course.make_environment()
    assert made[-1][1:4] == ["-m", "venv", "--clear"]
    (course.VENV / "bin").mkdir(parents=True)
    course.make_environment()
    assert len(made) == 2  # half made: again
    (course.VENV / "thesis.tex").touch()
    with pytest.raises(course.SetupError, match="is not a Python environment"):
        course.make_environment()
    (course.VENV / "pyvenv.cfg").touch()
    (course.VENV / "thesis.tex").unlink()
    monkeypatch.setattr(course, "ask", lambda *a: repr(tuple(sys.version_info[:2])))
    course.make_environment()
    assert len(made) == 2  # it works: kept
    course.UNFINISHED.touch()
    course.make_environment()
    assert len(made) == 3  # killed in it: again


def test_settings_of_pip_that_lead_elsewhere_are_named(course, monkeypatch):
    said = "global.index-url='https://example.org'\ninstall.target='/opt/elsewhere'\n"
    monkeypatch.setattr(course, "ask", lambda *a: said)
    with pytest.raises(course.SetupError, match="install.target = '/opt/elsewhere'"):
        course.check_pip_settings()
    monkeypatch.setattr(course, "ask", lambda *a: said.splitlines()[0])
    course.check_pip_settings()


def test_a_user_setting_of_pip_has_no_effect_in_the_environment(course, monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text("[install]\nuser = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    asked = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "pip"]
    assert "user" not in subprocess.run(asked, env=course.clean_env(), stderr=-1).stderr.decode()


PLAYER = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("course", {root!r} + "/course.py")
course = importlib.util.module_from_spec(spec)
spec.loader.exec_module(course)
from pathlib import Path
venv = Path({venv!r})
course.VENV, course.LOCK, course.LOG = venv, venv.with_name("lock"), venv.with_name("log")
course.STAMP, course.UNFINISHED = venv.with_name("stamp"), venv.with_name("unfinished")
course.check_disk = course.make_environment = course.check_pip_settings = lambda *a: None
course.is_ready = lambda extra, build: course.STAMP.exists()
course.check_result = lambda build: "works"
course.python_in = lambda venv: {fake!r}
course.quiet = lambda command: (0, "")
sys.exit(course.main(["setup"]))
"""


@pytest.fixture
def player(tmp_path):
    """Starts a set-up whose pip is a script that starts a child and sleeps `seconds`; both write
    their process number into a file.
    """
    started = []

    def start(seconds):
        fake = tmp_path / "pip.sh"
        fake.write_text(f"#!/bin/sh\nsleep {seconds} &\necho $$ $! >> {tmp_path}/pids\nwait\n")
        fake.chmod(0o755)
        text = PLAYER.format(root=str(ROOT), venv=str(tmp_path / ".venv"), fake=str(fake))
        command = [sys.executable, "-c", text]
        process = subprocess.Popen(command, stdout=-1, stderr=-2, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


posix = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes of Linux")


@posix
def test_sigterm_ends_pip_and_what_it_started(player, tmp_path):
    process = player(600)
    wait_until((tmp_path / "pids").exists)
    wait_until(lambda: len((tmp_path / "pids").read_text().split()) == 2)
    process.terminate()
    assert process.wait(60) == 143
    for pid in (tmp_path / "pids").read_text().split():
        wait_until(lambda pid=pid: ended(pid))


@posix
def test_a_second_set_up_waits_for_the_first_and_has_nothing_to_do(player, tmp_path):
    first = player(3)
    wait_until((tmp_path / "pids").exists)
    second = player(3)
    assert second.wait(120) == 0 and first.wait(60) == 0
    assert second.stdout.read().startswith("Another set-up is at work in")
    assert len((tmp_path / "pids").read_text().splitlines()) == 2  # both steps of the first


@posix
def test_a_pip_that_outlives_a_killed_set_up_is_waited_for(player, tmp_path):
    first = player(4)
    wait_until((tmp_path / "pids").exists)
    first.kill()
    second = player(0)
    said = second.communicate(timeout=120)[0]
    assert second.returncode == 0
    assert said.startswith("Another set-up is at work in")


def test_options_alone_open_the_course(course, monkeypatch):
    seen = []
    monkeypatch.setattr(course, "set_up", seen.append)
    monkeypatch.setattr(course, "hand_over", lambda args: seen.append(args) or 0)
    assert course.main(["--no-browser", "--port", "8899"]) == 0
    assert seen == ["course", ["lab", "--no-browser", "--port", "8899"]]


def test_other_commands_go_to_mmgen(course, monkeypatch):
    seen = []
    monkeypatch.setattr(course, "set_up", seen.append)
    monkeypatch.setattr(course, "hand_over", lambda args: seen.append(args) or 7)
    assert [course.main(a) for a in ([], ["run", "--profile", "smoke"], ["test"], ["setup"])] == [
        7,
        7,
        7,
        0,
    ]
    assert seen == [
        "course",
        ["lab"],
        "course",
        ["run", "--profile", "smoke"],
        "dev",
        ["test"],
        "course",
    ]


def test_pins_fit_the_requirements(course):
    text = (ROOT / "pyproject.toml").read_text(encoding="utf8")
    oldest = re.search(r'requires-python = ">=(\d+)\.(\d+)"', text)
    assert tuple(map(int, oldest.groups())) == course.OLDEST
    from packaging.requirements import Requirement

    bound = next(
        r for r in map(Requirement, re.findall(r'"(torch[^"]*)"', text)) if r.name == "torch"
    )
    assert course.TORCH.split("==")[1] in bound.specifier


def test_another_package_of_the_name_is_told(course, monkeypatch, capsys):
    monkeypatch.setattr(course, "set_up", lambda extra: None)
    monkeypatch.setattr(course, "ask", lambda *args: "another mmgen lies in /x\n\n")
    assert course.main(["setup"]) == 0
    assert "Note: another mmgen lies in /x\n" == capsys.readouterr().err
    monkeypatch.setattr(course, "ask", lambda *args: None)  # nothing is set up: nothing to tell
    assert course.others() == []
