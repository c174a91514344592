"""Run the notebooks in order with papermill: `python3 course.py run [notebook...] [--profile
smoke|cpu|gpu]`.

Executed copies and one report with every figure go to `run/PROFILE/`; the notebooks themselves
are never written.
"""

import contextlib
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from . import readme, records, repo
from .display import Display, clock, closing, opening, outcome_line

LIMITS = {"smoke": 300, "cpu": 900, "gpu": 3600}  # seconds that one cell may take
GRACE = 60  # seconds more, after which a silent worker is killed


def run_key(root, path, parameters) -> str:
    """Changes when a notebook's source, its parameters or the package change: then an earlier run
    says nothing.
    """
    nb = repo.read(path)
    parts = [repr(sorted(parameters.items()))] + [
        f"{c['cell_type']}:{repo.source(c)}" for c in nb["cells"]
    ]
    files = sorted(p for p in (Path(root) / "mmgen").rglob("*.py") if "course" not in p.parts)
    return hashlib.sha256(
        "\0".join(parts + [p.read_text(encoding="utf8") for p in files]).encode()
    ).hexdigest()


def memory_mb(pid) -> float:
    """Resident memory in MB of all descendants of process `pid`, or the highest of one where Linux
    tells; 0 where it cannot be read.
    """
    try:
        import psutil

        children = psutil.Process(pid).children(recursive=True)
        return max(
            sum(p.memory_info().rss for p in children) / 1e6,
            max((highest_mb(p.pid) for p in children), default=0.0),
        )
    except Exception:
        return 0.0  # psutil missing, or a process that ended while we looked


def highest_mb(pid) -> float:
    "The most memory in MB that one process ever had, which Linux notes; else 0."
    try:
        return (
            int(re.search(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1])
            * 1024
            / 1e6
        )
    except (OSError, TypeError):
        return 0.0


def kill_tree(process):
    "End a worker and whatever it started."
    try:
        import psutil

        for p in psutil.Process(process.pid).children(recursive=True):
            p.kill()
    except Exception:
        pass  # without psutil the kernel ends by itself, once its parent is gone
    process.kill()
    process.wait()


class Job:
    "One notebook on its way: its worker, the cell it is in, its time and peak memory."

    def __init__(self, path, parameters, key, expected=None):
        self.path, self.parameters, self.key, self.expected = path, parameters, key, expected
        self.name, self.cell, self.of, self.peak, self.result, self.process = (
            path.stem,
            0,
            0,
            0.0,
            None,
            None,
        )

    def start(self, root, out, timeout, events, threads, home):
        """Start the worker; its events arrive in `events` as (job, dict), and (job, None) at its
        end.
        """
        env = dict(
            os.environ,
            HF_HUB_OFFLINE="1",
            MMGEN_HOME=str(home),
            PYTHONUTF8="1",
            PYDEVD_DISABLE_FILE_VALIDATION="1",
        )
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            if threads:
                env.setdefault(name, str(threads))
        self.started = self.heard = self.said = time.time()
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workshop.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=env,
            start_new_session=os.name != "nt",
            text=True,
            encoding="utf8",
        )
        job = dict(
            path=str(self.path),
            out=str(out / self.path.name),
            parameters=self.parameters,
            folder=str(self.path.parent),
            timeout=timeout,
        )
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        threading.Thread(target=self.listen, args=(events,), daemon=True).start()

    def listen(self, events):
        "Hand on what the worker says."
        for line in self.process.stdout:
            try:
                events.put((self, json.loads(line)))
            except ValueError:
                continue
        events.put((self, None))

    @property
    def seconds(self):
        "Seconds since the start."
        return time.time() - self.started

    def finish(self, failed=None, gpu=0):
        "Note the outcome."
        seen = dict(
            seconds=round(self.seconds, 1),
            peak_mb=round(self.peak),
            gpu_mb=round(gpu / 1e6),
            cells=self.of,
        )
        self.result = dict(
            notebook=self.name,
            key=self.key,
            passed=failed is None,
            failed=failed,
            parameters=self.parameters,
            date=time.strftime("%Y-%m-%d %H:%M"),
            **seen,
        )

    def where(self):
        "Cell, time, and the time it took before, in words."
        before = f" of about {clock(self.expected)}" if self.expected else ""
        return f"{self.name} cell {self.cell}/{self.of or '?'} {clock(self.seconds)}{before}"

    def last_words(self):
        "The end of what the worker wrote to standard error."
        self.errors.seek(0, 2)
        self.errors.seek(max(0, self.errors.tell() - 2000))
        return self.errors.read().decode("utf8", "replace").strip()


def read_state(out) -> dict:
    "Results of earlier runs into this folder, by notebook."
    try:
        return json.loads((out / "state.json").read_text(encoding="utf8"))
    except (OSError, ValueError):
        return {}


def save_state(out, state):
    "Keep the results, whole at any moment."
    part = out / "state.part"
    part.write_text(json.dumps(state, indent=1), encoding="utf8")
    os.replace(part, out / "state.json")


def expected_seconds(root, profile, state) -> dict:
    "Seconds that each notebook took last time, here or in the record."
    found = {
        e["notebook"]: e["minutes"] * 60 for e in records.load(root) if e["profile"] == profile
    }
    return found | {name: r["seconds"] for name, r in state.items() if r["passed"]}


def plan(root, names=(), profile="cpu", start=None) -> list:
    """The notebooks to run as (path, parameters). Every mistake in names, profile or parameters is
    raised here, before anything runs.
    """
    paths = repo.notebooks(root)
    given = repo.profile(root, profile)
    chosen = repo.pick(names, paths)
    if start is not None:
        (first,) = repo.pick([start], paths)
        chosen = [p for p in chosen if p >= first]
    if not chosen:
        raise repo.CourseError(
            "no notebook is left to run; the notebooks are: " + ", ".join(p.stem for p in paths)
        )
    for p in chosen:
        if not repo.parameters(repo.read(p)):
            raise repo.CourseError(f"{p.name} has no cell tagged 'parameters'")
    return [(p, given[p.stem]) for p in chosen]


def execute(root, jobs, out, timeout, at_once, display, stop_early=False) -> list:
    """Run the jobs, `at_once` of them together, and return their results; whatever happens, no
    worker is left behind.
    """
    events, waiting, running, done = queue.Queue(), list(jobs), [], []
    threads = max(1, (os.cpu_count() or 1) // at_once) if at_once > 1 else None
    home = tempfile.mkdtemp(prefix="mmgen-home-")
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.pop(0)
                job.start(root, out, timeout, events, threads, home)
                running.append(job)
                if not display.live:
                    display.line(
                        f"running {job.name}"
                        + (f", about {clock(job.expected)}" if job.expected else "")
                    )
            try:
                step(*events.get(timeout=0.3))
            except queue.Empty:
                pass
            for job in list(running):
                job.peak = max(job.peak, memory_mb(job.process.pid))
                if job.result is None and time.time() - job.heard > timeout + GRACE:
                    job.finish(
                        dict(
                            cell=job.cell,
                            source="",
                            error=f"nothing was heard for {timeout + GRACE} s: stopped",
                            traceback="",
                        )
                    )
                if job.result is not None:
                    running.remove(job)
                    kill_tree(job.process)
                    done.append(job.result)
                    keep_result(out, job, display)
                    if stop_early and not job.result["passed"]:
                        waiting.clear()
            display.status(running, len(done))
    finally:
        for job in running:
            kill_tree(job.process)
        shutil.rmtree(home, ignore_errors=True)
    return done


def step(job, event):
    "Take in what a worker said."
    job.heard = time.time()
    if event is None:
        lost = dict(
            cell=job.cell,
            source="",
            error="the notebook's process ended without a word",
            traceback=job.last_words(),
        )
        if job.result is None:
            job.finish(lost)
    elif "of" in event:
        job.cell, job.of = event["cell"], event["of"]
    elif "failed" in event:
        job.finish(event["failed"], event["gpu"])
    elif "passed" in event:
        job.peak = max(
            job.peak, event.get("host", 0) / 1e6
        )  # what the kernel says of itself; a short peak falls between two looks
        job.finish(None, event["gpu"])


def keep_result(out, job, display):
    "Save and show the result of one notebook at once, so that an interruption loses nothing."
    save_state(out, read_state(out) | {job.name: job.result})
    display.line(outcome_line(job.result))


def run(
    names=(),
    profile="cpu",
    jobs=1,
    start=None,
    resume=False,
    record=False,
    timeout=None,
    stop_early=False,
    root=None,
    out=None,
) -> int:
    """Run notebooks; 0 if all passed, 1 if one failed, 130 if interrupted. Raises CourseError
    before anything runs.
    """
    root = Path(root or repo.find_root())
    todo = plan(root, names, profile, start)
    out = Path(out or root / "run" / profile)
    out.mkdir(parents=True, exist_ok=True)
    state, display = read_state(out), Display(len(todo))
    expected, keys = (
        expected_seconds(root, profile, state),
        {p: run_key(root, p, parameters) for p, parameters in todo},
    )
    kept = [
        state[p.stem] | {"kept": True}
        for p, _ in todo
        if resume and is_kept(state.get(p.stem), keys[p], out / p.name)
    ]
    names_kept, started = {r["notebook"] for r in kept}, time.time()
    work = [
        Job(p, parameters, keys[p], expected.get(p.stem))
        for p, parameters in todo
        if p.stem not in names_kept
    ]
    display.line(opening(work, kept, profile, out, jobs))
    try:
        with ended_by_sigterm():
            results = execute(
                root, work, out, timeout or LIMITS[profile], max(1, jobs), display, stop_early
            )
    except KeyboardInterrupt:
        where = "; ".join(
            f"{j.name} at cell {j.cell} of {j.of or '?'}"
            for j in work
            if j.process and j.result is None
        )
        again = " ".join(
            [
                "mmgen run",
                *names,
                "--profile",
                profile,
                *(["--from", start] if start else []),
                "--resume",
            ]
        )
        display.line(f"\nInterrupted in {where or 'between two notebooks'}. To go on: {again}")
        return 130
    if record:
        records.record(root, profile, results, max(1, jobs))
        readme.write_readme(root)
    results = sorted(results + kept, key=lambda r: r["notebook"])
    return closing(results, profile, out, display, time.time() - started) or int(
        len(results) < len(todo)
    )


def is_kept(result, key, copy) -> bool:
    """True if an earlier result still says something: passed, nothing changed since, executed copy
    there.
    """
    return bool(result and result["passed"] and result["key"] == key and copy.exists())


@contextlib.contextmanager
def ended_by_sigterm():
    "Within this block a request to end is treated like Ctrl-C."

    def interrupt(*_):
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, interrupt) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
