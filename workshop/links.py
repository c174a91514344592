"""What follows from `settings.ini`: the Colab badge and set-up cell of each notebook, the badges
and clone line of the README.
"""

import re
import secrets

from . import repo

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


def badge(owner, name, branch, stem) -> str:
    "The Open-in-Colab badge of one notebook, in Markdown."
    return (
        "[![Open in "
        f"Colab]({BADGE})](https://colab.research.google.com/github/{owner}/{name}/blob/{branch}/nbs/{stem}.ipynb)"
    )


def setup_source(owner, name, branch) -> str:
    """Source of the set-up cell: installs mmgen where it is missing, for instance on Colab, and
    else does nothing.
    """
    return (
        "# On Colab, or wherever mmgen is missing, install it; elsewhere this does nothing.\n"
        "try:\n"
        "    import mmgen\n"
        "except ImportError:\n"
        f"    %pip install -q git+https://github.com/{owner}/{name}.git@{branch}"
    )


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
    wanted = f"{text}\n\n{badge(*repository, stem)}"
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
    if repo.source(cell) != setup_source(*repository):
        put(cell, setup_source(*repository))
    return repr(nb["cells"][:3]) != before


def link_all(root) -> list:
    "Bring the notebooks and the README in step with `settings.ini`; the names of what changed."
    from . import records

    changed, repository = [], repo.repository(root)
    for path in repo.notebooks(root):
        nb = repo.read(path)
        if link(nb, path.stem, repository):
            repo.write(nb, path)
            changed.append(path.name)
    if records.write_readme(root):
        changed.append("README.md")
    return changed


def relink(text, owner, name, branch) -> str:
    "The README's text with its clone line and workflow badges pointing to this repository."
    text = re.sub(
        r"(git clone https://github\.com/)\S+?\.git( && cd )\S+",
        rf"\g<1>{owner}/{name}.git\g<2>{name}",
        text,
    )
    text = re.sub(
        r"(https://github\.com/)[^/\s]+/[^/\s]+(/actions/workflows/\w+\.yml)",
        rf"\g<1>{owner}/{name}\g<2>",
        text,
    )
    return re.sub(
        r"(git\+https://github\.com/)\S+?\.git(?:@[\w./-]+)?",
        rf"\g<1>{owner}/{name}.git@{branch}",
        text,
    )
