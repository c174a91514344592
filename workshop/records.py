"""Last green runs: `benchmarks/results/runs.json`, and the README's table of notebooks that is
written from it.
"""

import json
import os
import platform
import time
from pathlib import Path

from mmgen.doctor import machine

from . import links, repo

FILE = "benchmarks/results/runs.json"
OPEN, CLOSE = "<!-- notebooks -->", "<!-- /notebooks -->"


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


def record(root, profile, results):
    """Add green results to the record (one per notebook and profile, the newest), then rewrite the
    README's table.
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
            passed=True,
        )

    merge(root, [{"notebook": r["notebook"]} | here | seen(r) for r in results if r["passed"]])


def merge(root, entries):
    "Put entries into the record, newest wins, and rewrite the README's table."
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
    write_readme(root)


def table(root) -> str:
    """The README's table of notebooks: minutes and last green run from the record, badges from
    `settings.ini`.
    """
    runs, repository = {(e["notebook"], e["profile"]): e for e in load(root)}, repo.repository(root)
    rows = ["| notebook | it answers | CPU | GPU | last green run | |", "|---|---|---|---|---|---|"]
    for path in repo.notebooks(root):
        head, promise = repo.title(repo.read(path))
        cpu, gpu = (runs.get((path.stem, p)) for p in ("cpu", "gpu"))
        last = green(cpu or gpu or runs.get((path.stem, "smoke")))
        link, colab = (
            f"[{path.stem[:2]} {head}](nbs/{path.name})",
            links.badge(repository, path.stem),
        )
        cells = [link, promise, minutes(cpu), minutes(gpu), last, colab]
        rows.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    where = sorted(
        {
            f"{e['profile']}: {e['machine']}, Python {e['python']}"
            for e in runs.values()
            if e["profile"] != "smoke"
        }
    )
    return "\n".join(
        rows
        + (["", f"Minutes and peak memory were measured on: {'; '.join(where)}."] if where else [])
    )


def green(entry) -> str:
    "Date, profile, version and peak memory of a recorded run."
    return (
        f"{entry['date']}, {entry['profile']}, torch {entry['torch']}, "
        f"{entry['peak_mb'] / 1000:.1f} GB"
        if entry
        else ""
    )


def minutes(entry) -> str:
    "Minutes of a recorded run, as the table shows them."
    return f"{entry['minutes']:.1f} min" if entry else ""


def write_readme(root) -> bool:
    "Rewrite the generated parts of README.md; True if that changed it."
    file = Path(root) / "README.md"
    text = file.read_text(encoding="utf8")
    if OPEN not in text or CLOSE not in text:
        raise repo.CourseError(f"README.md lacks {OPEN} and {CLOSE} around its table of notebooks")
    head, rest = text.split(OPEN, 1)
    new = links.relink(
        head + OPEN + "\n" + table(root) + "\n" + CLOSE + rest.split(CLOSE, 1)[1],
        repo.repository(root),
    )
    if new != text:
        file.write_text(new, encoding="utf8", newline="\n")
    return new != text
