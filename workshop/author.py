"""Author's bench: percent script -> notebook, executed from a fresh kernel, cleaned, exported.

    python -m workshop.author nbs/04_quantizer.ipynb --script SCRIPT.py --png FOLDER
    python -m workshop.author nbs/04_quantizer.ipynb --take run/cpu/04_quantizer.ipynb

Outputs stored in `nbs/` come only from here, so that every one of them is from one run, top to
bottom: made now, or by `python3 course.py run`.
"""

import argparse
import base64
import io
import re
import subprocess
import sys
import time
from itertools import zip_longest
from pathlib import Path

from .export import export
from .links import link
from .page_gates import KEPT
from .repo import kernel_config, number, repository

WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def convert(script, path):
    """Percent script to notebook; where the notebook exists, unchanged cells keep their ids and
    outputs.
    """
    update = ["--update"] if Path(path).exists() else []
    subprocess.run(
        [
            sys.executable,
            "-m",
            "jupytext",
            "--quiet",
            "--to",
            "ipynb",
            *update,
            "-o",
            str(path),
            str(script),
        ],
        check=True,
    )


def execute(nb, folder, timeout=900):
    "Run every cell of `nb` in a fresh kernel that starts in `folder`; stop at the first error."
    from .kernels import Client

    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    where = {"metadata": {"path": str(folder)}}
    Client(
        nb,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        resources=where,
        config=kernel_config(),
    ).execute()
    return nb


def take(nb, copy):
    """Give `nb` the outputs of `copy`, an executed notebook with the same cells; ValueError names
    the first that differs.
    """
    done = [c for c in copy.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    for i, (cell, its) in enumerate(zip_longest(nb.cells, done)):
        if not (cell and its) or cell.source != its.source:
            raise ValueError(f"cell {i} of the copy is another one; run it again")
        if cell.cell_type == "code":
            cell.outputs = its.outputs
    for n, cell in enumerate((c for c in nb.cells if c.cell_type == "code"), 1):
        cell.execution_count = n
    return nb


def smaller(png):
    """The same picture in fewer bytes, base64: without an alpha channel that hides nothing, without
    colours where all are grey.
    """
    from PIL import Image

    image, out = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
    if image.mode == "RGB" and image.convert("L").convert("RGB").tobytes() == image.tobytes():
        image = image.convert("L")
    image.save(out, "PNG", optimize=True)
    new = base64.b64encode(out.getvalue()).decode()
    return new if len(new) < len(png) else png


def tidy(nb):
    """Drop what differs between two equal runs or breaks the page on GitHub: stderr, widget state,
    timings; store pictures small.
    """
    for cell in nb.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in KEPT}
        if cell.cell_type != "code":
            continue

        def shown(o):
            return not (o.output_type == "stream" and o.name == "stderr") and WIDGET not in o.get(
                "data", {}
            )

        cell.outputs = [o for o in cell.outputs if shown(o)]
        for o in cell.outputs:
            if "metadata" in o:
                o["metadata"] = {}
            if "image/png" in o.get("data", {}):
                o.data["image/png"] = smaller(o.data["image/png"])
    nb.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return nb


def exercise_cells(ex, number):
    "Text of the two cells of an exercise: the box with the task, and the starter with its check."

    def dots(n):
        return "●" * n + "○" * (5 - n)

    box = f"*Difficulty {dots(ex.difficulty)} · asked {dots(ex.importance)} · {ex.minutes} minutes*"
    title = {"write": "", "bug": "Find the bug: ", "answer": ""}[ex.kind] + ex.__doc__.splitlines()[
        0
    ]
    return f"### Exercise {number} · {title}\n{box}\n\n{ex.task.strip()}", ex.cell()


def sync_exercises(nb, chapter):
    """Fill every cell that holds `check("id"` and the heading above it from the definition of that
    exercise.
    """
    from mmgen.exercises import exercise

    number = 0
    for above, cell in zip(nb.cells, nb.cells[1:]):
        found = (
            re.search(r'^check\("([\w.]+)"', cell.source, re.M)
            if cell.cell_type == "code"
            else None
        )
        if not found or not above.source.startswith("### Exercise"):
            continue
        number += 1
        above.source, cell.source = exercise_cells(exercise(found[1]), f"{chapter}.{number}")
    return nb


def save_pictures(nb, folder):
    "Write each picture of `nb` as NNN.png so that it can be looked at."
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    n = 0
    for i, cell in enumerate(nb.cells):
        for o in cell.get("outputs", []):
            if "image/png" in o.get("data", {}):
                n += 1
                (folder / f"{n:02d}_cell{i:03d}.png").write_bytes(
                    base64.b64decode(o["data"]["image/png"])
                )
    return n


def show_text(nb):
    "The text outputs of `nb`, cell by cell, for reading after a run."
    for i, cell in enumerate(nb.cells):
        for o in cell.get("outputs", []):
            text = (
                o.get("text")
                or o.get("data", {}).get("text/markdown")
                or o.get("data", {}).get("text/plain", "")
            )
            if text:
                print(f"--- cell {i}: {cell.source.strip().splitlines()[0][:80]}")
            if text:
                print(re.sub(chr(27) + r"[^m]*m", "", text)[:1500].rstrip())


def main(argv=None):
    "Convert, export, fill in exercises and links, run, clean, write."
    import nbformat

    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("notebook", type=Path)
    ap.add_argument("--script", type=Path, help="percent script to convert first")
    ap.add_argument("--png", type=Path, help="folder for the pictures")
    ap.add_argument("--show", action="store_true", help="print the text outputs")
    ap.add_argument(
        "--take",
        type=Path,
        metavar="COPY",
        help="take the outputs of this executed copy instead of running",
    )
    ap.add_argument("--no-run", action="store_true", help="convert and export only")
    a = ap.parse_args(argv)
    if a.script:
        convert(a.script, a.notebook)
    chapter = number(a.notebook.stem).removeprefix("0")
    nb = sync_exercises(nbformat.read(a.notebook, as_version=4), chapter)
    nbformat.write(nb, a.notebook)
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(a.notebook)], check=True)
    export([a.notebook], "mmgen")
    nb = nbformat.read(a.notebook, as_version=4)
    link(nb, a.notebook.stem, repository(a.notebook.parents[1]))
    start = time.time()
    try:
        if a.take:
            take(nb, nbformat.read(a.take, as_version=4))
        elif not a.no_run:
            execute(nb, a.notebook.parent)
    finally:
        nbformat.write(tidy(nb), a.notebook)
    if a.png:
        print(save_pictures(nb, a.png), "pictures in", a.png)
    if a.show:
        show_text(nb)
    print(f"{a.notebook}: {len(nb.cells)} cells in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
