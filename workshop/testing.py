"""The notebooks' own tests: nbdev-test over copies that carry the smoke parameters, so that it
takes minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import repo


def smoke_copies(root, folder):
    """Copy the notebooks with the smoke parameters put into their parameters cell; nbdev finds its
    settings beside them.
    """
    given = repo.profile(root, "smoke")
    (folder / "nbs").mkdir()
    shutil.copy(Path(root) / "pyproject.toml", folder)
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


def notebook_tests(root) -> int:
    "Run nbdev-test over the copies, two at a time; its exit code."
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        smoke_copies(root, folder)
        env = dict(
            os.environ, HF_HUB_OFFLINE="1", MMGEN_HOME=str(folder / "home"), MPLBACKEND="agg"
        )
        env.setdefault(
            "OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2))
        )  # two notebooks at once
        names = [p.stem for p in repo.notebooks(root)]
        print(f"the own tests of {len(names)} notebooks, with nbdev-test", flush=True)
        tool = shutil.which("nbdev-test", path=str(Path(sys.executable).parent))
        if not tool:
            raise repo.CourseError("nbdev-test is missing; run `python3 course.py test`")
        done = subprocess.run([tool, "nbs", "--n-workers", "2", "--do-print"], cwd=folder, env=env)
    print(
        f"{len(names)} passed, 0 failed"
        if done.returncode == 0
        else "the notebooks' own tests failed"
    )
    return done.returncode
