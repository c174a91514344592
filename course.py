#!/usr/bin/env python3
"""Set up the course and open it; needs nothing but Python 3.10 or newer.

    python3 course.py                        set up, then open the course in JupyterLab
    python3 course.py test                   set up what the tests need, then run all of them
    python3 course.py setup                  set up only
    python3 course.py run --profile smoke    anything else goes to the `mmgen` command

Everything is installed into the folder .venv beside this file; delete that folder to begin again.
"""
# Standard library only, and no syntax newer than Python 3.6, so that an old Python can still say what is wrong.
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("MMGEN_VENV") or ROOT / ".venv")
STAMP, LOG = VENV / "mmgen-setup.json", VENV / "mmgen-setup.log"
OLDEST = (3, 10)
TORCH = "torch==2.13.0"
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"  # the place PyTorch's own documentation names for CPU builds on Linux
NEEDS_GB = {"cpu": 3, "cuda": 12, "plain": 4}
EXTRAS = {"course": "course", "dev": "dev"}          # what is installed besides the library: to read it, to test it
DEV_COMMANDS = ("test", "check")


class SetupError(Exception):
    "Set-up cannot go on; the text says what is wrong and what to do."


# What this machine has

def newer_python():
    "Name of a new enough Python that works on this machine, or None."
    for minor in (13, 12, 11, 10, 14):
        name = "python3.{}".format(minor)
        if not shutil.which(name): continue
        if subprocess.run([name, "-c", "import venv"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0: return name
    return None


def check_python(version=sys.version_info):
    "Stop if this Python is too old, naming a newer one where the machine has it."
    if tuple(version[:2]) >= OLDEST: return
    here = "This is Python {}; the course needs {}.{} or newer.".format(".".join(map(str, version[:3])), *OLDEST)
    other = newer_python()
    if other: raise SetupError(here + "\nThis machine has one. Run:\n    {} course.py".format(other))
    raise SetupError(here + "\nInstall one (python.org, or `sudo apt install python3.11 python3.11-venv`, or `brew install python@3.12`),"
                            "\nthen run this command with it, for instance:\n    python3.11 course.py")


def check_venv_module(found=None):
    "Stop if Python cannot make environments: Debian and Ubuntu ship that part separately."
    if found is None: found = bool(find_spec("ensurepip") and find_spec("venv"))
    if found: return
    raise SetupError("This Python cannot make an environment: its ensurepip module is missing (Debian and Ubuntu ship it separately). Run:\n"
                     "    sudo apt install python3-venv python{}.{}-venv\nand then this command again.".format(*sys.version_info[:2]))


def check_disk(build, free=None):
    "Stop before a download that cannot fit."
    free = shutil.disk_usage(str(ROOT)).free if free is None else free
    if free < NEEDS_GB[build] * 1e9:
        raise SetupError("There are {:.1f} GB free where {} lies; set-up needs about {} GB.\n"
                         "Free some space, or move the folder to a larger disk, and run this command again.".format(free / 1e9, ROOT, NEEDS_GB[build]))


def has_nvidia():
    "True if this machine has an NVIDIA GPU that its driver can reach."
    if not shutil.which("nvidia-smi"): return False
    try: done = subprocess.run(["nvidia-smi", "-L"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.SubprocessError): return False
    return done.returncode == 0 and b"GPU" in done.stdout


def torch_build(system=None, gpu=None):
    "Which PyTorch this machine gets: 'cpu' (Linux without a GPU), 'cuda' (with one) or 'plain' (macOS, Windows)."
    if (system or platform.system()) != "Linux": return "plain"
    return "cuda" if (has_nvidia() if gpu is None else gpu) else "cpu"


# The environment

def python_in(venv):
    "Path of an environment's Python."
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def clean_env():
    "This process's environment variables, less those that would lead pip or Python astray."
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "__PYVENV_LAUNCHER__")}
    return dict(env, PYTHONNOUSERSITE="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_REQUIRE_VIRTUALENV="0", PYTHONUTF8="1")


def ask(*args):
    "Run the environment's Python quietly; its output, or None if it fails."
    try: done = subprocess.run([str(python_in(VENV))] + list(args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_env(), cwd=str(ROOT))
    except OSError: return None
    return done.stdout.decode("utf8", "replace") if done.returncode == 0 else None


def key(build):
    "Changes when set-up must run again: other requirements, another Python, another build, a moved folder."
    parts = [(ROOT / "pyproject.toml").read_bytes(), repr((sys.version_info[:2], platform.machine(), TORCH, build, str(ROOT))).encode("utf8")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_stamp():
    "What the last finished set-up wrote, or {}."
    try: return json.loads(STAMP.read_text(encoding="utf8"))
    except (OSError, ValueError): return {}


def is_ready(extra, build):
    "True if the environment was finished for these requirements and still works."
    stamp = read_stamp()
    done = stamp.get("key") == key(build) and extra in stamp.get("extras", ())
    return done and ask("-c", "import mmgen, torch, jupyterlab") is not None


def make_environment():
    "Create .venv, or make it anew if it is broken or was left half made."
    fits = ask("-c", "import pip, sys; print(sys.version_info[:2])")
    if fits is not None and fits.strip() == repr(tuple(sys.version_info[:2])): return
    if VENV.exists() and not (VENV / "pyvenv.cfg").exists() and any(VENV.iterdir()):
        if {p.name for p in VENV.iterdir()} - {"bin", "include", "lib", "lib64", "Scripts", "Include", "Lib"}:
            raise SetupError("{} exists and is not a Python environment. Move it away and run this command again.".format(VENV))
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_env())
    if done.returncode: raise SetupError(explain(done.stdout.decode("utf8", "replace")))


def explain(text):
    "What to do about a failed installation, from what pip said."
    low, tail = text.lower(), "\n".join("    " + line for line in text.strip().splitlines()[-6:])
    if "no space left" in low or "errno 28" in low or "not enough space" in low:
        return "The disk is full. Free about {} GB and run this command again; it goes on where it stopped.".format(NEEDS_GB[torch_build()])
    if re.search(r"name resolution|name or service not known|nodename nor servname|getaddrinfo failed|newconnectionerror|failed to establish a new connection|"
                 r"connecttimeout|network is unreachable|connection refused|proxyerror|read timed out|max retries exceeded|connection ?reset", low):
        return ("The network did not answer, and set-up must download packages once (afterwards the course runs offline).\n"
                "Check the connection (behind a proxy set HTTPS_PROXY), then run this command again; what is already installed stays.\npip said:\n" + tail)
    if "certificate verify failed" in low:
        return "The network's certificate was not accepted. Set PIP_CERT to your organisation's certificate file and run this command again.\npip said:\n" + tail
    if re.search(r"no matching distribution found for torch\b", low):
        return ("PyTorch has no build of {} for Python {}.{} on {} {}.\nUse Python 3.10 to 3.13 on 64-bit Linux, Windows or a Mac with Apple's own chip.\npip said:\n"
                .format(TORCH, sys.version_info[0], sys.version_info[1], platform.system(), platform.machine()) + tail)
    if "permission denied" in low or "errno 13" in low:
        return "A file could not be written. Is {} yours to write? Run without sudo, in a folder of your own.\npip said:\n".format(ROOT) + tail
    return "Set-up stopped. Run this command again; if it stops at the same place, delete the folder {} first.\npip said:\n".format(VENV) + tail


def clock(seconds):
    "Seconds as M:SS."
    return "{}:{:02d}".format(int(seconds) // 60, int(seconds) % 60)


def pip(args, what):
    "Run pip in the environment: its own bars in a terminal, one line now and then in a log; SetupError on failure."
    LOG.write_bytes(b"")
    terminal = sys.stdout.isatty()
    command = [str(python_in(VENV)), "-m", "pip", "--log", str(LOG)] + args + ([] if terminal else ["--quiet", "--progress-bar", "off"])
    start = said = time.time()
    process = subprocess.Popen(command, cwd=str(ROOT), env=clean_env(), stdout=None if terminal else subprocess.DEVNULL, stderr=None if terminal else subprocess.DEVNULL)
    try:
        while process.poll() is None:
            time.sleep(.1)
            if not terminal and time.time() - said > 15: said = time.time(); print("      {} {}  {}".format(what, clock(said - start), latest()), flush=True)
    except BaseException: process.terminate(); process.wait(); raise
    text = LOG.read_text(encoding="utf8", errors="replace")
    if process.returncode: raise SetupError(explain(text))
    return text


def latest():
    "The package that pip is busy with, from its log."
    found = re.findall(r"(Collecting|Downloading|Installing collected packages|Building wheel)[ :]+([^\s,(]+)", LOG.read_text(encoding="utf8", errors="replace"))
    return "{} {}".format(found[-1][0].lower(), found[-1][1].rsplit("/", 1)[-1]) if found else ""


def torch_args(build):
    "pip's arguments for this machine's PyTorch. It comes first: any package that needs it would else choose the build."
    return ["install", "--retries", "1"] + (["--extra-index-url", CPU_BUILDS] if build == "cpu" else []) + [TORCH]


def gpu_packages(names):
    "Those of the package names that belong to a GPU build."
    return sorted(n for n in names if re.match(r"(nvidia|cuda|triton)([-_]|$)", n.lower()))


def check_plan(build):
    "Stop if pip would fetch a GPU build for a machine without a GPU: gigabytes for nothing."
    if build != "cpu": return
    version = tuple(int(n) for n in re.findall(r"\d+", ask("-c", "import pip; print(pip.__version__)") or "0")[:2])
    if version < (22, 2): pip(["install", "--retries", "1", "--upgrade", "pip"], "pip")
    plan = VENV / "plan.json"
    pip(torch_args(build) + ["--dry-run", "--report", str(plan)], "choosing")
    names = [item["metadata"]["name"] for item in json.loads(plan.read_text(encoding="utf8"))["install"]]
    if gpu_packages(names): raise SetupError(
        "This machine has no NVIDIA GPU, and the index of PyTorch's CPU builds did not answer; without it pip would fetch\n"
        "several GB for GPUs. Check that {} can be reached and run this command again.".format(CPU_BUILDS))


def check_result(build):
    "Stop if packages for GPUs came in on a machine without one; return the version line of what was installed."
    listing = ask("-m", "pip", "list", "--format", "json", "--disable-pip-version-check")
    names = [p["name"] for p in json.loads(listing[listing.index("["):])] if listing else []
    if build == "cpu" and gpu_packages(names):
        raise SetupError("Packages for GPUs came in although this machine has no NVIDIA GPU: {}.\n"
                         "Delete {} and run this command again.".format(", ".join(gpu_packages(names)), VENV))
    said = ask("-c", "import torch, mmgen; print('mmgen', mmgen.__version__, 'with PyTorch', torch.__version__, 'on', 'GPU' if torch.cuda.is_available() else 'CPU')")
    if said is None: raise SetupError("What was installed does not import. Delete {} and run this command again.".format(VENV))
    return said.strip().splitlines()[-1]


def set_up(extra):
    "Make the environment ready for `extra` ('course' or 'dev'); does nothing where it is."
    check_python()
    build = torch_build()
    if is_ready(extra, build): return
    check_venv_module(); check_disk(build)
    start, stamp = time.time(), read_stamp()
    extras = set(stamp.get("extras", ())) if stamp.get("key") == key(build) else set()
    print("Setting up in {} ({})".format(VENV, {"cpu": "no NVIDIA GPU: the CPU build of PyTorch", "cuda": "NVIDIA GPU found: the CUDA build of PyTorch",
                                               "plain": "the PyTorch of this system"}[build]), flush=True)
    print("[1/4] environment", flush=True); make_environment()
    if STAMP.exists(): STAMP.unlink()
    print("[2/4] PyTorch (by far the largest download)", flush=True)
    check_plan(build); pip(torch_args(build), "PyTorch")
    print("[3/4] the course's packages", flush=True)
    pip(["install", "--retries", "1", "--editable", ".[{}]".format(EXTRAS[extra])], "packages")
    print("[4/4] looking whether it works", flush=True)
    print("      " + check_result(build))
    extras |= {"course", extra}
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps({"key": key(build), "extras": sorted(extras)}), encoding="utf8"); os.replace(str(part), str(STAMP))
    print("Set-up took {} min. Running this command again is quick.".format(clock(time.time() - start)), flush=True)


def hand_over(args):
    "Run the `mmgen` command in the environment and give back its exit code; Ctrl-C goes to it."
    process = subprocess.Popen([str(python_in(VENV)), "-m", "mmgen.cli"] + args, env=clean_env())
    while True:
        try: return process.wait()
        except KeyboardInterrupt: continue


def main(args):
    "Set up what `args` need, then run them."
    if args and args[0] in ("-h", "--help"): print(__doc__.strip()); return 0
    try: set_up("dev" if args and args[0] in DEV_COMMANDS + ("setup-dev",) else "course")
    except SetupError as e: print("\n{}".format(e), file=sys.stderr); return 1
    except KeyboardInterrupt: print("\nStopped. Run the same command again to go on.", file=sys.stderr); return 130
    if args and args[0] in ("setup", "setup-dev"): return 0
    return hand_over(args or ["lab"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
