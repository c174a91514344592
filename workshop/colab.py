"""Notebooks as Colab meets them: alone, in an environment with Colab's versions, mmgen installed by
the set-up cell from a wheel.

python -m workshop.colab [notebook...]

Nothing is kept: environment, wheel and copies lie in a temporary folder.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import repo
from .testing import inject

VERSIONS = "tests/fixtures/colab_versions.txt"
FOR_THE_PAGES = {"pandas"}  # what the lessons use beyond the library's own needs, and Colab has
NOT_THERE = {
    "torchmetrics",
    "lightning-utilities",
    "fsrs",
}  # what Colab lacks, and so what the set-up cell adds to mmgen


def normal(name) -> str:
    "A package's name as indexes compare it."
    return re.sub(r"[-_.]+", "-", name).lower()


def versions(root) -> dict:
    "Colab's recorded versions, by normal name."
    lines = (Path(root) / VERSIONS).read_text(encoding="utf8").splitlines()
    return {
        normal(name): version
        for name, version in (
            line.split("==") for line in lines if line and not line.startswith("#")
        )
    }


def base_requirements(root) -> list:
    "What pyproject.toml says that the library needs."
    from packaging.requirements import Requirement

    block = re.search(
        r"^dependencies = \[(.*?)^\]",
        (Path(root) / "pyproject.toml").read_text(encoding="utf8"),
        re.S | re.M,
    )[1]
    return [Requirement(r) for r in re.findall(r'"([^"]+)"', block)]


def call(command, **options) -> str:
    "Run a command; what it printed, or an error with its last lines."
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, env=clean_env(), **options
    )
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(map(str, command))[:300]}\n{(done.stdout + done.stderr)[-2000:]}"
        )
    return done.stdout


def clean_env() -> dict:
    "The environment variables without those that tie Python to this checkout."
    return {
        k: v
        for k, v in os.environ.items()
        if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "JUPYTER_PATH")
    }


def build_wheel(root, folder) -> Path:
    "Build the wheel of the checkout into `folder`."
    call(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--retries",
            "1",
            "--no-deps",
            "-w",
            folder,
            root,
        ]
    )
    (wheel,) = Path(folder).glob("mmgen_course-*.whl")
    return wheel


def new_venv(folder) -> Path:
    "An empty environment; returns its Python."
    call([sys.executable, "-m", "venv", folder])
    return Path(folder) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def would_change(root, wheel, folder) -> set:
    """Names of what pip would install for the wheel into an environment that has what Colab has,
    without installing anything.
    """
    python = new_venv(folder)
    site = Path(
        call([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    )
    for name, version in versions(
        root
    ).items():  # pip is told that these are installed; they are empty
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        if any(site.glob(f"{name.replace('-', '_')}-*.dist-info")):
            continue
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "INSTALLER").write_text("pip")
        (info / "RECORD").write_text("")
    plan = Path(folder) / "plan.json"
    call(
        [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--retries",
            "1",
            "--dry-run",
            "--report",
            plan,
            wheel,
        ]
    )
    return {
        normal(item["metadata"]["name"])
        for item in json.loads(plan.read_text(encoding="utf8"))["install"]
    }


def torch_args(root) -> list:
    "pip's arguments for a PyTorch that fits this machine, as course.py chooses it."
    spec = importlib.util.spec_from_file_location("course", Path(root) / "course.py")
    course = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(course)
    return course.torch_args(course.torch_build())


def colab_like(root, folder) -> Path:
    """An environment with Colab's versions of all that mmgen needs (torch apart: any build), and
    without mmgen; returns its Python.
    """
    python = new_venv(folder)
    pins = Path(folder) / "pins.txt"
    free = (
        "torch",
        "triton",
        "fsspec",
        "setuptools",
        "networkx",
    )  # these follow the torch that this machine can have
    pins.write_text("".join(f"{n}=={v}\n" for n, v in versions(root).items() if n not in free))
    names = [
        r.name
        for r in base_requirements(root)
        if normal(r.name) not in NOT_THERE and r.name != "torch"
    ]
    call([python, "-m", "pip", "-q", *torch_args(root)])
    call(
        [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--retries",
            "1",
            "-c",
            pins,
            "ipykernel",
            "ipython",
            "psutil",
            *FOR_THE_PAGES,
            *names,
        ]
    )
    return python


def freeze(python) -> dict:
    "Versions of everything installed in an environment."
    listing = call([python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"])
    return {normal(p["name"]): p["version"] for p in json.loads(listing)}


def run_alone(path, wheel, python, parameters, folder, upload):
    """Run a copy of one notebook in an empty folder; its set-up cell finds the wheel there, where
    `upload` is True, and else in MMGEN_SOURCE, as in a mounted folder.
    """
    import nbformat

    from .kernels import Client

    nb = repo.read(path)
    inject(nb, parameters)
    spec = Path(folder) / "jupyter" / "kernels" / "colab"
    spec.mkdir(parents=True, exist_ok=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps(dict(argv=argv, display_name="Colab-like", language="python")), encoding="utf8"
    )
    work = Path(folder) / "content"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    if upload:
        shutil.copy(wheel, work)
    nb = nbformat.reads(json.dumps(nb), as_version=4)
    os.environ["JUPYTER_PATH"] = str(spec.parents[1])
    env = clean_env() | {"MMGEN_HOME": str(work / "home"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    env |= {} if upload else {"MMGEN_SOURCE": str(wheel)}
    where = {"metadata": {"path": str(work)}}
    Client(
        nb, timeout=600, kernel_name="colab", resources=where, config=repo.kernel_config()
    ).execute(env=env)
    return nb


def main(names) -> int:
    "Build, install, run; every version that Colab has must be as before."
    root = repo.find_root()
    chosen, given = repo.pick(names, repo.notebooks(root)), repo.profile(root, "smoke")
    with tempfile.TemporaryDirectory(prefix="mmgen-colab-") as folder:
        folder, start = Path(folder), time.time()
        wheel = build_wheel(root, folder)
        added = would_change(root, wheel, folder / "plan") - {"mmgen-course"}
        adds = ", ".join(sorted(added)) or "nothing"
        print(
            f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB; on Colab it would add {adds}",
            flush=True,
        )
        if added - NOT_THERE:
            raise SystemExit(
                f"installing on Colab would change {', '.join(sorted(added - NOT_THERE))}"
            )
        python = colab_like(root, folder / "venv")
        before = freeze(python)
        for n, path in enumerate(chosen):
            call([python, "-m", "pip", "uninstall", "-q", "-y", "mmgen-course"])
            run_alone(path, wheel, python, given[path.stem], folder, upload=n % 2 == 0)
            print(f"passed {path.stem} alone, after {time.time() - start:.0f} s", flush=True)
        after = freeze(python)
    changed = {n: (v, after.get(n)) for n, v in before.items() if after.get(n) != v}
    if changed:
        raise SystemExit(f"the set-up cell changed what was installed: {changed}")
    if "mmgen-course" not in after:
        raise SystemExit("the set-up cell did not install mmgen: the notebooks ran elsewhere")
    print(
        f"the set-up cell added {', '.join(sorted(set(after) - set(before)))} and changed "
        f"nothing\n{len(chosen)} passed, 0 failed"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
