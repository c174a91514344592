"""What a run of notebooks shows: how far it is, failing cells, and a table at its end."""

import os
import re
import shutil
import sys
import time

from . import report

QUIET = 20  # seconds between two lines of a log


def clock(seconds) -> str:
    "Seconds as M:SS."
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Display:
    "Progress for people: one line that is rewritten in a terminal, a line now and then in a log."

    def __init__(self, total, stream=None):
        self.total, self.stream = total, stream or sys.stdout
        self.live = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.width = 0

    def line(self, text=""):
        "A line that stays."
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.width = 0
        self.stream.write(text + "\n")
        self.stream.flush()

    def status(self, running, done):
        "Where the running notebooks are."
        if not running:
            return
        texts = [j.where() for j in running]
        if self.live:
            text = f"[{done}/{self.total}] " + " | ".join(texts)
            text = text[: shutil.get_terminal_size().columns - 1]
            self.stream.write("\r" + text.ljust(self.width))
            self.stream.flush()
            self.width = len(text)
            return
        for j, text in zip(running, texts):
            if time.time() - j.said > QUIET:
                j.said = time.time()
                self.line("  " + text)


def outcome_line(r) -> str:
    "One line on a finished notebook."
    head = (
        f"{'passed' if r['passed'] else 'FAILED'}  {r['notebook']:<18} {clock(r['seconds']):>6}  "
    )
    if r["passed"]:
        return head + f"{r['peak_mb']:>6} MB  {r['cells']} cells"
    return head + f"at cell {r['failed']['cell']}: {r['failed']['error'].splitlines()[0][:120]}"


def failure_text(r, out) -> str:
    "The failing cell with its traceback."
    f = r["failed"]
    code = "\n".join("    " + line for line in f["source"].splitlines())
    trace = "\n".join(
        "    " + line for line in re.sub(r"\x1b\[[0-9;]*m", "", f["traceback"]).splitlines()[-30:]
    )
    copy = shown(out / (r["notebook"] + ".ipynb"))
    return (
        f"\n{r['notebook']}, cell {f['cell']} of {r['cells']}:\n{code}\n\n  "
        f"{f['error']}\n{trace}\n  executed copy: {copy}"
    )


def summary(results) -> str:
    "The table at the end of a run."
    rows = [
        f"{'notebook':<18} {'result':<7} {'minutes':>8} {'peak MB':>8} {'GPU MB':>7} {'cells':>6}"
    ]
    for r in results:
        result = "kept" if r.get("kept") else "passed" if r["passed"] else "FAILED"
        rows.append(
            f"{r['notebook']:<18} {result:<7} {r['seconds'] / 60:>8.2f} {r['peak_mb']:>8} "
            f"{r.get('gpu_mb', 0):>7} {r['cells']:>6}"
        )
    return "\n".join(rows)


def opening(work, kept, profile, out, jobs) -> str:
    "What a run says first."
    about = sum(j.expected or 0 for j in work) / max(1, jobs)
    text = f"{len(work)} notebook{'s' * (len(work) != 1)}, profile {profile}, into {shown(out)}"
    return (
        text
        + (f", about {clock(about)}" if about else "")
        + (f"; {len(kept)} kept from an earlier run" if kept else "")
    )


def closing(results, profile, out, display, seconds) -> int:
    "Failing cells, report, summary; 1 if a notebook failed."
    failed = [r for r in results if not r["passed"]]
    for r in failed:
        display.line(failure_text(r, out))
    page = report.write(out, profile, results)
    display.line(
        f"\n{summary(results)}\n\nreport with every figure: {shown(page)}, total {clock(seconds)}"
    )
    display.line(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return int(bool(failed))


def shown(path) -> str:
    "A path as the reader would type it."
    try:
        return os.path.relpath(path)
    except ValueError:
        return str(path)
