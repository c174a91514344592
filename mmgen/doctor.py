"""What `mmgen doctor` prints: everything worth telling in a report of a problem, found on this
machine.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path


def machine() -> str:
    "Processor and number of cores, with the GPU where there is one."
    model = platform.machine()
    try:
        model = re.search(
            r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf8"), re.M
        )[1]
    except (OSError, TypeError):
        model = platform.processor() or model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {model.strip()}" + (f", {gpu}" if (gpu := gpu_name()) else "")


def gpu_name() -> str:
    "Name of the first NVIDIA GPU, or ''."
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return (
        done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""
    )


def requirements() -> list:
    "Names of the packages that mmgen and the course need."
    try:
        found = metadata.requires("mmgen-course") or []
    except metadata.PackageNotFoundError:
        found = []
    return sorted(
        {re.match(r"[\w.-]+", r)[0] for r in found if "extra ==" not in r or "course" in r}
        - {"mmgen-course"},
        key=str.lower,
    )


def versions() -> dict:
    "Installed version of each needed package, or None."
    found = {}
    for name in requirements():
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def torch_line() -> str:
    "Version of torch, the device that would be used, and the number of threads."
    try:
        import torch
    except Exception as e:
        return f"does not import: {type(e).__name__}: {e}"
    if torch.cuda.is_available():
        device = (
            f"GPU {torch.cuda.get_device_name(0)}, "
            f"{torch.cuda.get_device_properties(0).total_memory / 1e9:.0f} GB"
        )
    else:
        device = "Apple GPU (mps)" if torch.backends.mps.is_available() else "CPU"
    return f"{torch.__version__}, {device}, {torch.get_num_threads()} threads"


def data_lines() -> list:
    "State of the embedded data: the checksum of every file, where the data module can tell."
    try:
        from mmgen.data import verify
    except Exception as e:
        return [("data", f"cannot be checked: {type(e).__name__}: {e}")]
    try:
        said = verify()
    except Exception as e:
        return [("data", f"PROBLEM: {e}")]
    return [
        ("data", f"checksums hold{f' for {len(said)} files' if hasattr(said, '__len__') else ''}")
    ]


def lines() -> list:
    "Everything found, as (name, text)."
    import mmgen

    from .installed import others
    from .interview.checkout import CourseError, find_root

    try:
        root = find_root()
    except CourseError:
        root = None
    free = shutil.disk_usage(root or os.getcwd()).free / 1e9
    found = [
        ("mmgen", f"{mmgen.__version__} in {Path(mmgen.__file__).parent}"),
        ("course", str(root or "no checkout here")),
        ("python", f"{platform.python_version()} at {sys.executable}"),
        ("system", platform.platform()),
        ("machine", machine()),
        ("disk", f"{free:.1f} GB free"),
        ("torch", torch_line()),
    ]
    found += [("clash", f"PROBLEM: {text}") for text in others()]
    lacking = [name for name, version in versions().items() if version is None]
    found += [("packages", ", ".join(f"{n} {v}" for n, v in versions().items() if v))]
    if lacking:
        found.append(("missing", ", ".join(lacking) + " (run `python3 course.py setup`)"))
    return found + data_lines()


def report() -> int:
    "Print it; 1 if something is missing or damaged."
    import textwrap

    found = lines()
    whole = dict(subsequent_indent=" " * 10, break_long_words=False, break_on_hyphens=False)
    for name, text in found:
        print(textwrap.fill(f"{name:<9} {text}", 120, **whole))
    return int(
        any(
            name == "missing" or text.startswith(("PROBLEM", "does not import"))
            for name, text in found
        )
    )
