"""The report of a run: one HTML file with the summary, every figure under its heading, and each
failing cell.
"""

import html
import re
from pathlib import Path

from . import records, repo

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
table { border-collapse: collapse }
td, th { padding: .2em .8em; border-bottom: 1px solid #ccc; text-align: right }
td:first-child, th:first-child { text-align: left }
figure { margin: 1em 0 }
figcaption { color: #444 }
img { max-width: 100% }
pre { background: #f5f5f5; padding: .6em; overflow: auto }
.failed { color: #b00020; font-weight: bold }
"""
HEAD = ("notebook", "result", "minutes", "peak MB", "GPU MB", "cells")


def figures(nb) -> list:
    "Every picture of a notebook as (heading above it, cell number, base64 PNG)."
    found, heading = [], ""
    for i, cell in enumerate(nb["cells"], 1):
        if cell["cell_type"] == "markdown":
            heads = re.findall(
                r"^#{1,6} +(.+)$", re.sub(r"```.*?```", "", repo.source(cell), flags=re.S), re.M
            )
            heading = heads[-1] if heads else heading
        for output in cell.get("outputs", ()):
            png = output.get("data", {}).get("image/png")
            if png:
                found.append((heading, i, "".join(png).replace("\n", "")))
    return found


def failure(r) -> str:
    "The failing cell of a result as HTML."
    f = r["failed"]
    trace = re.sub(r"\x1b\[[0-9;]*m", "", f["traceback"])
    blocks = "".join(f"<pre>{html.escape(text)}</pre>" for text in (f["source"], trace) if text)
    return f"<p class=failed>Failed at cell {f['cell']}: {html.escape(f['error'])}</p>{blocks}"


def section(out, r) -> str:
    "One notebook's part of the report."
    path = Path(out) / (r["notebook"] + ".ipynb")
    parts = [
        f"<h2 id='{r['notebook']}'>{r['notebook']}</h2>",
        f"<p><a href='{path.name}'>executed copy</a>, parameters "
        f"{html.escape(repr(r['parameters']))}, run {r['date']}</p>",
    ]
    if not r["passed"]:
        parts.append(failure(r))
    if path.exists():
        for heading, cell, png in figures(repo.read(path)):
            text = html.escape(f"{heading} (cell {cell})")
            picture = f"<img alt='{text}' src='data:image/png;base64,{png}'>"
            parts.append(f"<figure>{picture}<figcaption>{text}</figcaption></figure>")
    return "\n".join(parts)


def row(r) -> str:
    "One notebook's row of the summary."
    result = "passed" if r["passed"] else "<span class=failed>failed</span>"
    link = f"<a href='#{r['notebook']}'>{r['notebook']}</a>"
    cells = [link, result, f"{r['seconds'] / 60:.2f}", r["peak_mb"], r.get("gpu_mb", 0), r["cells"]]
    return "<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"


def write(out, profile, results) -> Path:
    "Write `report.html` into the folder `out` and return its path."
    title = f"Run of the course, profile {profile}"
    table = (
        "<table><tr>"
        + "".join(f"<th>{h}</th>" for h in HEAD)
        + "</tr>"
        + "".join(map(row, results))
        + "</table>"
    )
    body = "\n".join(
        [f"<h1>{title}</h1><p>{html.escape(records.machine())}</p>", table]
        + [section(out, r) for r in results]
    )
    file = Path(out) / "report.html"
    head = (
        "<!doctype html><html lang=en><meta "
        f"charset=utf-8><title>{title}</title><style>{STYLE}</style>"
    )
    file.write_text(f"{head}{body}</html>", encoding="utf8")
    return file
