"""What follows from `settings.ini`: the Colab badge and set-up cell of each notebook, the badges
and clone line of the README.
"""

import re
import secrets

from . import repo

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


def badge(repository, stem) -> str:
    "The Open-in-Colab badge of one notebook, in Markdown; '' as long as there is no address."
    address = repository.colab(stem)
    return f"[![Open in Colab]({BADGE})]({address})" if address else ""


SETUP = """\
# Where the course is installed this does nothing. Elsewhere, for instance on Colab, give it the
# course: upload its wheel (mmgen_course-*.whl) beside the notebook, or mount a folder that holds
# the course and name it in MMGEN_SOURCE, or put an address there; then run this cell again.
import glob
import os
import sys

try:
    import mmgen.installed
except ImportError as error:
    other = sys.modules.pop("mmgen", None)
    if getattr(other, "__file__", None):
        raise ImportError(f"another mmgen lies in {other.__file__}; remove it") from error
    given = [os.environ.get("MMGEN_SOURCE", ""), *glob.glob("mmgen_course-*.whl"), "ADDRESS"]
    source = next((place for place in given if place), "")
    if not source:
        raise ImportError("mmgen is missing; the lines above say how to give it") from error
    %pip install -q {source}"""


def setup_source(repository) -> str:
    "Source of the set-up cell: installs the course where it is missing, and else does nothing."
    return SETUP.replace("ADDRESS", repository.source)


def put(cell, text):
    """Give a cell its source: a string where nbformat read the notebook, a list of lines where json
    did.
    """
    cell["source"] = text if type(cell) is not dict else text.splitlines(keepends=True)


def link(nb, stem, repository) -> bool:
    "Put badge and set-up cell of notebook `stem` into `nb`; True if that changed it."
    before = repr(nb["cells"][:3])
    first = nb["cells"][0]
    text = "\n".join(line for line in repo.source(first).splitlines() if BADGE not in line).rstrip()
    wanted = f"{text}\n\n{badge(repository, stem)}".rstrip()
    if repo.source(first) != wanted:
        put(first, wanted)
    cell = next((c for c in nb["cells"] if "setup" in c["metadata"].get("tags", ())), None)
    if cell is None:
        new = dict(
            cell_type="code",
            execution_count=None,
            id=secrets.token_hex(4),
            metadata={"tags": ["setup"]},
            outputs=[],
            source="",
        )
        cell = type(first)(new)  # a plain dict, or nbformat's kind
        nb["cells"].insert(1, cell)
    if repo.source(cell) != setup_source(repository):
        put(cell, setup_source(repository))
    return relink_outputs(nb, repository) or repr(nb["cells"][:3]) != before


LINK = re.compile(
    r"(href=['\"])(?:https://github\.com/[^/'\"]+/[^/'\"]+/blob/[^/'\"]+/nbs/)?"
    r"(\d\d\w?_\w+\.ipynb)"
)


def relink_outputs(nb, repository) -> bool:
    "Point links in stored outputs to where the notebooks can be read; True if that changed any."
    changed = False
    for cell in nb["cells"]:
        for output in cell.get("outputs", ()):
            html = output.get("data", {}).get("text/html")
            if html is None:
                continue
            text = html if isinstance(html, str) else "".join(html)
            new = LINK.sub(lambda m: f"{m[1]}{repository.notebooks}{m[2]}", text)
            if new != text:
                whole = isinstance(html, str)
                output["data"]["text/html"] = new if whole else new.splitlines(keepends=True)
                changed = True
    return changed
