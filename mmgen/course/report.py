"""The report of a run: one HTML file with the summary, every figure under its heading, and each failing cell."""
import html
import re
from pathlib import Path

from . import records, repo

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse}td,th{padding:.2em .8em;border-bottom:1px solid #ccc;text-align:right}td:first-child,th:first-child{text-align:left}
figure{margin:1em 0}figcaption{color:#444}img{max-width:100%}pre{background:#f5f5f5;padding:.6em;overflow:auto}.failed{color:#b00020;font-weight:bold}"""


def figures(nb) -> list:
    "Every picture of a notebook as (heading above it, cell number, base64 PNG)."
    found, heading = [], ""
    for i, cell in enumerate(nb["cells"], 1):
        if cell["cell_type"] == "markdown":
            heads = re.findall(r"^#{1,6} +(.+)$", re.sub(r"```.*?```", "", repo.source(cell), flags=re.S), re.M)
            heading = heads[-1] if heads else heading
        for output in cell.get("outputs", ()):
            png = output.get("data", {}).get("image/png")
            if png: found.append((heading, i, "".join(png).replace("\n", "")))
    return found


def failure(r) -> str:
    "The failing cell of a result as HTML."
    f = r["failed"]
    trace = re.sub(r"\x1b\[[0-9;]*m", "", f["traceback"])
    return f"<p class=failed>Failed at cell {f['cell']}: {html.escape(f['error'])}</p><pre>{html.escape(f['source'])}</pre><pre>{html.escape(trace)}</pre>"


def section(out, r) -> str:
    "One notebook's part of the report."
    path = Path(out) / (r["notebook"] + ".ipynb")
    parts = [f"<h2 id='{r['notebook']}'>{r['notebook']}</h2><p><a href='{path.name}'>executed copy</a>, parameters {html.escape(repr(r['parameters']))}, run {r['date']}</p>"]
    if not r["passed"]: parts.append(failure(r))
    if path.exists():
        for heading, cell, png in figures(repo.read(path)):
            text = html.escape(f"{heading} (cell {cell})")
            parts.append(f"<figure><img alt='{text}' src='data:image/png;base64,{png}'><figcaption>{text}</figcaption></figure>")
    return "\n".join(parts)


def write(out, profile, results) -> Path:
    "Write `report.html` into the folder `out` and return its path."
    rows = "".join(f"<tr><td><a href='#{r['notebook']}'>{r['notebook']}</a></td><td>{'passed' if r['passed'] else '<span class=failed>failed</span>'}</td><td>{r['seconds'] / 60:.2f}</td>"
                   f"<td>{r['peak_mb']}</td><td>{r.get('gpu_mb', 0)}</td><td>{r['cells']}</td></tr>" for r in results)
    head = "<tr><th>notebook</th><th>result</th><th>minutes</th><th>peak MB</th><th>GPU MB</th><th>cells</th></tr>"
    page = (f"<!doctype html><html lang=en><meta charset=utf-8><title>Run of the course, profile {profile}</title><style>{STYLE}</style>"
            f"<h1>Run of the course, profile {profile}</h1><p>{html.escape(records.machine())}</p><table>{head}{rows}</table>" + "\n".join(section(out, r) for r in results) + "</html>")
    file = Path(out) / "report.html"
    file.write_text(page, encoding="utf8")
    return file
