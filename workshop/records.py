"""Last green runs: `benchmarks/results/runs.json`, and the README's table of notebooks that is
written from it.
"""

import json
import os
import platform
import time
from pathlib import Path

from mmgen.doctor import machine

from . import repo

FILE = "benchmarks/results/runs.json"


def load(root) -> list:
    "The recorded runs; [] where there are none."
    try:
        return json.loads((Path(root) / FILE).read_text(encoding="utf8"))
    except FileNotFoundError:
        return []
    except ValueError as e:
        raise repo.CourseError(
            f"{FILE} is not readable: {e}; restore it with `git checkout -- {FILE}`"
        ) from e


def record(root, profile, results, at_once=1):
    """Add green results to the record (one per notebook and profile, the newest); `at_once`
    notebooks ran side by side.
    """
    from importlib.metadata import version

    here = dict(
        profile=profile,
        date=time.strftime("%Y-%m-%d"),
        machine=machine(),
        python=platform.python_version(),
        torch=version("torch"),
    )

    def seen(r):
        return dict(
            minutes=round(r["seconds"] / 60, 2),
            peak_mb=r["peak_mb"],
            gpu_mb=r.get("gpu_mb", 0),
            at_once=at_once,
            passed=True,
        )

    merge(root, [{"notebook": r["notebook"]} | here | seen(r) for r in results if r["passed"]])


def merge(root, entries):
    "Put entries into the record, newest wins."
    kept = {(e["notebook"], e["profile"]): e for e in load(root)}
    for e in entries:
        old = kept.get((e["notebook"], e["profile"]))
        if old is None or e["date"] >= old["date"]:
            kept[e["notebook"], e["profile"]] = e
    file = Path(root) / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(
        "[\n" + ",\n".join(" " + json.dumps(kept[k]) for k in sorted(kept)) + "\n]\n",
        encoding="utf8",
    )
    os.replace(part, file)
