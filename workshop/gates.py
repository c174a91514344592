"""Gates: what every notebook (`page_gates`, `prose_gates`) and the repository (`repository_gates`)
must hold. Each gate is a function that returns its problems as short texts.

`tests/workshop/test_gates.py` shows every gate firing on a planted defect and silent on a good
notebook.
"""

import os

from . import prose_gates, repo  # noqa: F401, its gates enter the table
from .page_gates import NOTEBOOK_GATES
from .repository_gates import REPOSITORY_GATES


def check_notebook(path, root) -> list:
    "Problems of one notebook as (gate, text)."
    nb = repo.read(path)
    return [(name, text) for name, f in NOTEBOOK_GATES.items() for text in f(nb, path, root)]


def check_repository(root) -> list:
    "Problems of the repository as (gate, text)."
    return [(name, text) for name, f in REPOSITORY_GATES.items() for text in f(root)]


def main(names=(), listing=False) -> int:
    "Print every problem with its place; 1 if there is one."
    if listing:
        for name, f in (NOTEBOOK_GATES | REPOSITORY_GATES).items():
            print(f"{name:<26} {f.__doc__.splitlines()[0]}")
        return 0
    from .publish import told

    root, bad = repo.find_root(), 0
    if notice := told(root):
        print(f"::notice::{notice}" if os.environ.get("GITHUB_ACTIONS") else notice)
    paths = repo.pick(names, repo.notebooks(root))
    found = [(p.name, check_notebook(p, root)) for p in paths] + (
        [] if names else [("repository", check_repository(root))]
    )
    for where, problems in found:
        bad += len(problems)
        print(f"{where}: {'ok' if not problems else ''}")
        for name, text in problems:
            print(f"  {name}: {text}")
    gates = len(NOTEBOOK_GATES) + (0 if names else len(REPOSITORY_GATES))
    print(
        f"{len(paths)} notebooks, {gates} gates: " + (f"{bad} problems" if bad else "nothing found")
    )
    return int(bad > 0)
