"""Copies of the notebooks that carry the smoke parameters, for those who run them elsewhere."""

import os
import shutil
from pathlib import Path

from . import repo


def smoke_copies(root, folder):
    """Copy the notebooks with the smoke parameters put into their parameters cell, and link the
    data beside them.
    """
    given = repo.profile(root, "smoke")
    (folder / "nbs").mkdir()
    try:
        os.symlink(Path(root).resolve() / "data", folder / "data")
    except OSError:
        shutil.copytree(
            Path(root) / "data", folder / "data"
        )  # Windows without the right to make links
    for path in repo.notebooks(root):
        nb = repo.read(path)
        inject(nb, given[path.stem])
        repo.write(nb, folder / "nbs" / path.name)


def inject(nb, parameters):
    "Append assignments to the parameters cell, as papermill's injected cell would make them."
    cell = next(c for c in nb["cells"] if "parameters" in c["metadata"].get("tags", ()))
    cell["source"] = repo.source(cell) + "".join(
        f"\n{name} = {value!r}" for name, value in parameters.items()
    )
