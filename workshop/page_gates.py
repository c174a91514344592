"""Gates of a notebook: gate(nb, path, root) gives its problems as short texts."""

import ast
import base64
import io
import re
from pathlib import Path

from . import links, repo

NOTEBOOK_GATES = {}
# cell metadata: what a cell is, which claims of others it answers for, what it claims itself
KEPT = ("tags", "covers", "claims")
NOTEBOOK_MB = 1
CELL_LINES = 90
CELLS_BEFORE = 70
MIDDLE_LINES = 12
EXPORT_LINES = 45
PROSE_WORDS = 60


def gate(registry):
    "Enter a function into a registry under its name."

    def enter(f):
        registry[f.__name__.replace("_", " ")] = f
        return f

    return enter


def code_cells(nb) -> list:
    "Code cells that hold something, as (number from 1, cell)."
    return [
        (i, c)
        for i, c in enumerate(nb["cells"], 1)
        if c["cell_type"] == "code" and repo.source(c).strip()
    ]


def prose_cells(nb) -> list:
    "Markdown cells, as (number from 1, source)."
    return [
        (i, repo.source(c)) for i, c in enumerate(nb["cells"], 1) if c["cell_type"] == "markdown"
    ]


def without_code(text) -> str:
    "Markdown without fenced code."
    return re.sub(r"^ *(```|~~~).*?^ *\1", "", text, flags=re.S | re.M)


def output_text(output) -> str:
    "The text of one output, whatever its kind; pictures are left out."
    parts = [output.get("text", "")] + [
        v for k, v in output.get("data", {}).items() if k.startswith("text/")
    ]
    return "\n".join(p if isinstance(p, str) else "".join(p) for p in parts)


@gate(NOTEBOOK_GATES)
def valid(nb, path, root):
    "The file follows the notebook format."
    import nbformat

    try:
        nbformat.validate(nbformat.from_dict(nb))
    except Exception as e:
        return [f"is not a valid notebook: {str(e).splitlines()[0]}"]
    return []


@gate(NOTEBOOK_GATES)
def run_in_order(nb, path, root):
    "Every code cell was run, once, from top to bottom in one kernel."
    counts = [(i, c["execution_count"]) for i, c in code_cells(nb)]
    wrong = [(i, n, k) for k, (i, n) in enumerate(counts, 1) if n != k]
    return [
        f"cell {i}: execution count {n}, expected {k}; run the whole notebook again from the top"
        for i, n, k in wrong[:1]
    ]


@gate(NOTEBOOK_GATES)
def no_errors_stored(nb, path, root):
    "No output is an error or a line of standard error."
    bad = []
    for i, c in code_cells(nb):
        for o in c["outputs"]:
            if o["output_type"] == "error":
                bad.append(f"cell {i}: stored error {o['ename']}: {o['evalue'][:80]}")
            elif o.get("name") == "stderr":
                bad.append(f"cell {i}: stored standard error: {output_text(o).strip()[:80]}")
    return bad


@gate(NOTEBOOK_GATES)
def clean_metadata(nb, path, root):
    """No widget state, timings or tool metadata; GitHub shows 'Invalid Notebook' for the first, and
    the others change with every run.
    """
    bad = [
        f"notebook metadata {k!r} is not kept here"
        for k in nb["metadata"]
        if k not in ("kernelspec", "language_info")
    ]
    bad += [
        f"language_info.{k} is not kept here"
        for k in nb["metadata"].get("language_info", {})
        if k != "name"
    ]
    odd = sorted({k for c in nb["cells"] for k in c["metadata"] if k not in KEPT})
    for k in odd:
        bad.append(
            f"cell {next(i for i, c in enumerate(nb['cells'], 1) if k in c['metadata'])}: "
            f"metadata {k!r} is not kept here"
        )
    for i, c in enumerate(nb["cells"], 1):
        for o in c.get("outputs", ()):
            if "application/vnd.jupyter.widget-view+json" in o.get("data", {}):
                bad.append(f"cell {i}: a widget view is stored")
            if o.get("metadata"):
                bad.append(f"cell {i}: an output has metadata {sorted(o['metadata'])}")
    return bad


@gate(NOTEBOOK_GATES)
def stable_ids(nb, path, root):
    "Every cell has an id of its own, so that a change shows as a change of one cell."
    ids = [c.get("id") for c in nb["cells"]]
    bad = [f"cell {i}: has no id" for i, d in enumerate(ids, 1) if not d]
    return bad + [
        f"id {d!r} stands {ids.count(d)} times"
        for d in sorted({d for d in ids if d and ids.count(d) > 1})
    ]


@gate(NOTEBOOK_GATES)
def parameters_cell(nb, path, root):
    "One cell tagged `parameters`, with `seed` and `device`."
    tagged = [c for c in nb["cells"] if "parameters" in c["metadata"].get("tags", ())]
    if len(tagged) != 1:
        return [f"{len(tagged)} cells are tagged 'parameters'; expected one"]
    return [
        f"the parameters cell does not set {name}"
        for name in ("seed", "device")
        if name not in repo.parameters(nb)
    ]


@gate(NOTEBOOK_GATES)
def linked(nb, path, root):
    "The Colab badge and the set-up cell are those that settings.ini gives."
    repository, first = repo.repository(root), repo.source(nb["cells"][0]) if nb["cells"] else ""
    badge = links.badge(repository, Path(path).stem)
    ends_well = first.rstrip().endswith(badge) if badge else links.BADGE not in first
    wanted = "does not end in its Colab badge" if badge else "has a badge without an address"
    bad = [] if ends_well else [f"the first cell {wanted}; run `python3 course.py links`"]
    setup = [repo.source(c) for c in nb["cells"][1:2] if "setup" in c["metadata"].get("tags", ())]
    return bad + (
        []
        if setup == [links.setup_source(repository)]
        else ["cell 2 is not the generated set-up cell; run `python3 course.py links`"]
    )


@gate(NOTEBOOK_GATES)
def headings(nb, path, root):
    "One title, in the first cell, with a promise under it; no level is skipped."
    heads = [
        (i, len(m[1]), m[2])
        for i, text in prose_cells(nb)
        for m in re.finditer(r"^(#{1,6}) +(.+)$", without_code(text), re.M)
    ]
    titles = [i for i, level, _ in heads if level == 1]
    bad = (
        []
        if titles == [1]
        else [f"{len(titles)} titles (# ...) in cells {titles}; expected one, in cell 1"]
    )
    if not repo.title(nb)[1]:
        bad.append("the first cell has no promise (a line that begins with >)")
    for (_, above, _), (i, level, text) in zip(heads, heads[1:]):
        if level > above + 1:
            bad.append(f"cell {i}: '{'#' * level} {text}' skips a level after {'#' * above}")
    return bad


@gate(NOTEBOOK_GATES)
def figures_show_something(nb, path, root):
    "No picture is blank, of one colour, or only a few pixels in size."
    from PIL import Image

    bad = []
    for i, c in code_cells(nb):
        for o in c["outputs"]:
            png = o.get("data", {}).get("image/png")
            if not png:
                continue
            image = Image.open(io.BytesIO(base64.b64decode("".join(png)))).convert("L")
            share = max(image.histogram()) / (image.width * image.height)
            if min(image.size) < 16:
                bad.append(f"cell {i}: a picture of {image.width} x {image.height} pixels")
            elif share > 0.995:
                bad.append(f"cell {i}: {share:.1%} of a picture is one colour")
    return bad


PLACE = re.compile(
    r"(?<![\w.:/])/(?:home|Users|root|work|tmp|private|content|var/folders)/[^\s'\":]+"
    r"|\b[A-Z]:\\+Users\\+\w+|\bat 0x[0-9a-f]{6,}"
)


@gate(NOTEBOOK_GATES)
def no_places(nb, path, root):
    "No absolute path, user name or memory address in sources and outputs."
    bad = []
    for i, c in enumerate(nb["cells"], 1):
        for what, text in [("source", repo.source(c))] + [
            ("output", output_text(o)) for o in c.get("outputs", ())
        ]:
            if m := PLACE.search(text):
                bad.append(f"cell {i}: its {what} names {m[0][:60]!r}")
    return bad


@gate(NOTEBOOK_GATES)
def small(nb, path, root):
    "The file is under 1 MB, and no code cell is longer than a screen."
    size = Path(path).stat().st_size / 1e6
    bad = [f"{size:.2f} MB; expected under {NOTEBOOK_MB} MB"] if size >= NOTEBOOK_MB else []
    long = [
        (i, n)
        for i, c in code_cells(nb)
        if (n := len(repo.source(c).strip().splitlines())) > CELL_LINES
    ]
    return bad + [f"cell {i}: {n} lines of code; expected at most {CELL_LINES}" for i, n in long]


def exercises_begin(nb) -> int:
    "Index of the first cell of the exercises, or the number of cells."
    heads = (i for i, text in prose_cells(nb) if re.match(r"#{2,3} Exercise", text))
    return next(heads, len(nb["cells"]) + 1) - 1


def lines_of(cell) -> int:
    "Lines of a code cell that hold something; its imports are not counted."
    source = repo.source(cell)
    try:
        heads = [n for n in ast.parse(source).body if isinstance(n, (ast.Import, ast.ImportFrom))]
    except SyntaxError:
        heads = []  # a line of IPython
    imports = sum(n.end_lineno - n.lineno + 1 for n in heads)
    return sum(bool(line.strip()) for line in source.splitlines()) - imports


def words_of(text) -> int:
    """Words of a prose cell, of the longest part between two headings; code, tables, lists and
    displayed formulas are not counted.
    """
    text = re.sub(r"\$\$.*?\$\$", " ", without_code(text), flags=re.S)
    parts = re.split(r"^#{1,6} .*$", text, flags=re.M)
    plain = [re.sub(r"^\s*(\||[-*] |\d+\. ).*$", "", part, flags=re.M) for part in parts]
    return max(len(part.split()) for part in plain)


@gate(NOTEBOOK_GATES)
def form(nb, path, root):
    """At most 70 cells before the exercises; a cell tagged `whole` that opens with the whole thing
    in 15 to 25 lines; cells of at most 12 lines in the middle, 45 where they are exported; prose
    of at most 60 words between two headings or cells of code, the median of 12 to 45.
    """
    before = nb["cells"][: exercises_begin(nb)]
    bad = []
    if len(before) > CELLS_BEFORE:
        bad.append(f"{len(before)} cells before the exercises; expected at most {CELLS_BEFORE}")
    whole = [c for c in before[:15] if "whole" in c["metadata"].get("tags", ())]
    sizes = [lines_of(c) for c in whole]
    if len(sizes) != 1 or not 15 <= sizes[0] <= 25:
        bad.append(
            f"cells tagged 'whole' among the first 15 have {sizes or 'no'} lines; expected one "
            "of 15 to 25 lines, the whole thing working"
        )
    free = ("whole", "parameters", "setup")
    for i, c in code_cells({"cells": before}):
        most = EXPORT_LINES if re.match(r"#\| *export", repo.source(c)) else MIDDLE_LINES
        if set(free) & set(c["metadata"].get("tags", ())):
            continue
        if lines_of(c) > most:
            bad.append(f"cell {i}: {lines_of(c)} lines of code; expected at most {most}")
    words = [(i, words_of(text)) for i, text in prose_cells({"cells": before})[1:]]
    bad += [
        f"cell {i}: {n} words; expected at most {PROSE_WORDS}" for i, n in words if n > PROSE_WORDS
    ]
    counts = sorted(n for _, n in words if n)
    if counts and not 12 <= counts[len(counts) // 2] <= 45:
        bad.append(f"half of the prose cells have {counts[len(counts) // 2]} words; expected 12-45")
    return bad


@gate(NOTEBOOK_GATES)
def exercises_are_open(nb, path, root):
    "Each exercise is stored as not attempted, and no cell after its heading holds its reference."
    bad, cells, seen = [], nb["cells"], []
    for k, c in enumerate(cells):
        text = repo.source(c)
        found = (
            re.search(r"^check\(\s*[\"']([\w.]+)[\"']", text, re.M)
            if c["cell_type"] == "code"
            else None
        )
        if found and k and repo.source(cells[k - 1]).startswith("### Exercise"):
            seen.append((k, found[1]))
            said = "".join(output_text(o) for o in c["outputs"]).strip()
            if "not attempted" not in said:
                bad.append(
                    f"cell {k + 1}: {found[1]} is not stored as 'not attempted' but {said[:60]!r}"
                )
    for k, id in seen:
        for body in references(id):
            held = [j for j in range(k - 1, len(cells)) if body in squeeze(repo.source(cells[j]))]
            bad += [f"cell {j + 1}: holds the solution of exercise {id}" for j in held]
    return bad


def squeeze(text) -> str:
    "Source without spaces, comments and quotes' kind, so that layout hides nothing."
    return re.sub(r"\s+|#.*", "", text).replace("'", '"')


def references(id) -> list:
    """Squeezed bodies of the right solutions of an exercise; short ones, which a lesson may well
    hold, are left out.
    """
    from mmgen.exercises import exercise

    try:
        ex = exercise(id)
    except KeyError:
        return []
    import inspect
    import textwrap

    bodies = []
    for solution in ex.variants()[0].values():
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(solution)))
        except (TypeError, OSError, SyntaxError):
            continue
        body = [
            line
            for line in tree.body[0].body
            if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        ]
        text = squeeze("\n".join(ast.unparse(line) for line in body))
        if len(text) >= 30:
            bodies.append(text)
    return bodies
