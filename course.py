#!/usr/bin/env python3
"""Set up the course and open it; needs nothing but Python 3.10 or newer.

    python3 course.py                        set up, then open the course in JupyterLab
    python3 course.py --no-browser --port N  the same, but only print the address
    python3 course.py test                   set up what the tests need, then run all of them
    python3 course.py setup                  set up only
    python3 course.py run --profile smoke    anything else goes to the `mmgen` command

Everything is installed into the folder .venv beside this file; delete that folder to begin again.
"""

# Standard library only, and no syntax newer than Python 3.6, so that an old Python can still say
# what is wrong.
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("MMGEN_VENV") or ROOT / ".venv")
STAMP = VENV / "mmgen-setup.json"
LOG = VENV / "mmgen-setup.log"
UNFINISHED = VENV / "mmgen-setup.unfinished"
LOCK = VENV.with_name(VENV.name + ".lock")  # held while a set-up is at work
OLDEST = (3, 10)
TORCH = "torch==2.13.0"
# the place that PyTorch's own documentation names for CPU builds on Linux
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
NEEDS_GB = {"cpu": 3, "cuda": 12, "plain": 4}
# these need more: the extra `dev` instead of `course`
DEV_COMMANDS = ("test", "check", "site", "setup-dev")
HEARTBEAT = 15  # seconds between two lines in a log
BUILDS = {
    "cpu": "no NVIDIA GPU: the CPU build of PyTorch",
    "cuda": "NVIDIA GPU found: the CUDA build of PyTorch",
    "plain": "the PyTorch of this system",
}


class SetupError(Exception):
    "Set-up cannot go on; the text says what is wrong and what to do."


# What this machine has


def newer_python():
    "Name of a new enough Python that works on this machine, or None."
    for minor in (13, 12, 11, 10, 14):
        name = f"python3.{minor}"
        if shutil.which(name) and quiet([name, "-c", "import venv"])[0] == 0:
            return name
    return None


def check_python(version=sys.version_info):
    "Stop if this Python is too old, naming a newer one where the machine has it."
    if tuple(version[:2]) >= OLDEST:
        return
    here = "This is Python {}; the course needs {}.{} or newer.".format(
        ".".join(map(str, version[:3])), *OLDEST
    )
    other = newer_python()
    if other:
        raise SetupError(f"{here}\nThis machine has one. Run:\n    {other} course.py")
    raise SetupError(
        here + "\nInstall one (from python.org, `sudo apt install python3.11 python3.11-venv`, "
        "`brew install python@3.12`)\n"
        "and run this command with it, for instance:\n    python3.11 course.py"
    )


def check_venv_module(found=None):
    "Stop if Python cannot make environments: Debian and Ubuntu ship that part separately."
    if found is None:
        found = bool(find_spec("ensurepip") and find_spec("venv"))
    if found:
        return
    raise SetupError(
        "This Python cannot make an environment: it lacks the module ensurepip, which Debian "
        "and Ubuntu ship separately.\n"
        "Run:\n    sudo apt install python3-venv python{}.{}-venv\nand then this command "
        "again.".format(*sys.version_info[:2])
    )


def check_disk(build, free=None):
    "Stop before a download that cannot fit."
    free = shutil.disk_usage(str(ROOT)).free if free is None else free
    if free >= NEEDS_GB[build] * 1e9:
        return
    raise SetupError(
        f"There are {free / 1e9:.1f} GB free where {ROOT} lies; set-up needs about "
        f"{NEEDS_GB[build]} GB.\n"
        "Free some space, or move the folder to a larger disk, and run this command again."
    )


def has_nvidia():
    "True if this machine has an NVIDIA GPU that its driver can reach."
    if not shutil.which("nvidia-smi"):
        return False
    code, text = quiet(["nvidia-smi", "-L"])
    return code == 0 and "GPU" in text


def torch_build(system=None, gpu=None):
    """Which PyTorch this machine gets: 'cpu' (Linux without a GPU), 'cuda' (with one) or 'plain'
    (macOS, Windows).
    """
    if (system or platform.system()) != "Linux":
        return "plain"
    return "cuda" if (has_nvidia() if gpu is None else gpu) else "cpu"


# The environment


def clean_env():
    "This process's environment variables, less those that would lead pip or Python astray."
    astray = (
        "PYTHONHOME",
        "PYTHONPATH",
        "PIP_TARGET",
        "PIP_PREFIX",
        "__PYVENV_LAUNCHER__",
    )
    kept = {k: v for k, v in os.environ.items() if k not in astray}
    return dict(
        kept,
        PYTHONNOUSERSITE="1",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_REQUIRE_VIRTUALENV="0",
        PIP_USER="0",  # whatever pip's own files say: into the environment
        PYTHONUTF8="1",
        JUPYTER_PREFER_ENV_PATH="1",  # the environment's kernel, not one of the same name at home
    )


def quiet(command):
    "Run a command without showing it; its exit code and what it printed."
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_env(),
            cwd=str(ROOT),
        )
    except OSError as e:
        return 127, str(e)
    return done.returncode, done.stdout.decode("utf8", "replace")


def python_in(venv):
    "Path of an environment's Python."
    return str(venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def ask(*args):
    "What the environment's Python prints, or None if it fails."
    code, text = quiet([python_in(VENV)] + list(args))
    return text if code == 0 else None


def key(build):
    """Changes when set-up must run again: other requirements, another Python, another build, a
    moved folder.
    """
    facts = (sys.version_info[:2], platform.machine(), TORCH, build, str(ROOT))
    return hashlib.sha256(
        (ROOT / "pyproject.toml").read_bytes() + repr(facts).encode("utf8")
    ).hexdigest()


def read_stamp():
    "What the last finished set-up wrote, or {}."
    try:
        return json.loads(STAMP.read_text(encoding="utf8"))
    except (OSError, ValueError):
        return {}


def write_stamp(build, extras):
    "Note a finished set-up; the file is whole or absent."
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps({"key": key(build), "extras": sorted(extras)}), encoding="utf8")
    os.replace(str(part), str(STAMP))


def is_ready(extra, build):
    "True if the environment was finished for these requirements and still works."
    stamp = read_stamp()
    finished = stamp.get("key") == key(build) and extra in stamp.get("extras", ())
    there = (
        "import mmgen; from importlib.util import find_spec as f; assert f('torch') and "
        "f('jupyterlab')"
    )
    return finished and ask("-c", there) is not None


def make_environment():
    """Create .venv, or make it anew if it is broken or a set-up was killed in it: half a package
    can look like a whole one.
    """
    fits = ask("-c", "import pip, sys; print(sys.version_info[:2])")
    if (
        fits is not None
        and not UNFINISHED.exists()
        and fits.strip() == repr(tuple(sys.version_info[:2]))
    ):
        return
    foreign = (
        {p.name for p in VENV.iterdir()}
        - {"bin", "include", "lib", "lib64", "Scripts", "Include", "Lib"}
        if VENV.exists()
        else ()
    )
    if foreign and not (VENV / "pyvenv.cfg").exists():
        raise SetupError(
            f"{VENV} exists and is not a Python environment. Move it away and run this command "
            "again."
        )
    code, text = quiet([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if code:
        raise SetupError(explain(text))


@contextmanager
def one_at_a_time(pause=1.0):
    """Hold the lock of set-up; while another one holds it, say so and wait. A pip that outlives a
    killed set-up holds it too, since it inherits the open file.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with open(str(LOCK), "a") as file:
        waits = 0
        while not locked(file):
            if not waits:
                say(f"Another set-up is at work in {VENV}; this one waits until it ends.")
            waits += 1
            time.sleep(pause)
        yield file


def locked(file):
    "True if this process has the lock now; True too where the file system knows no locks."
    try:
        import fcntl
    except ImportError:
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


# pip, and what to do when it fails


def check_pip_settings():
    "Stop if pip's own files send packages to another place than the environment."
    listing = ask("-m", "pip", "config", "list") or ""
    found = re.findall(r"^(\w+\.(?:target|prefix|root))=(.*)$", listing, re.M)
    if found:
        raise SetupError(
            f"pip's settings say {found[0][0]} = {found[0][1]}, so packages would not come into "
            f"{VENV}.\nRemove that line for this command, for instance with\n"
            f"    {python_in(VENV)} -m pip config unset {found[0][0]}\n"
            "(pip config debug names the file), and run this command again."
        )


NO_NETWORK = (
    "name resolution",
    "name or service not known",
    "nodename nor servname",
    "getaddrinfo failed",
    "newconnectionerror",
    "failed to establish a new connection",
    "connecttimeout",
    "network is unreachable",
    "connection refused",
    "proxyerror",
    "read timed out",
    "max retries exceeded",
    "connection reset",
    "connectionreset",
)

OTHER_FAILURES = (
    "metadata-generation-failed",
    "subprocess-exited-with-error",
    "metadatagenerationfailed",
    "error: resolutionimpossible",
)


def explain(text):
    "What to do about a failed installation, from what pip said."
    plain = [re.sub(r"^\d{4}-\S+ ", "", line).rstrip() for line in text.strip().splitlines()]
    telling = [
        line for line in plain if re.match(r" *(ERROR|error|WARNING|\w+Error)\b.*:", line)
    ] or plain
    low, said = (
        text.lower(),
        "\npip said:\n" + "\n".join("    " + line.strip()[:160] for line in telling[-4:]),
    )
    if "no space left" in low or "errno 28" in low or "not enough space" in low:
        return (
            f"The disk is full. Free about {NEEDS_GB[torch_build()]} GB and run this "
            "command again; it goes on where it stopped."
        )
    if "certificate verify failed" in low:
        return (
            "The network's certificate was not accepted. Set PIP_CERT to your organisation's "
            "certificate file and try again." + said
        )
    other = (
        any(sign in low for sign in OTHER_FAILURES)
        and f"cannot install {TORCH}+cpu because" not in low
    )  # that one: its index is away
    if any(sign in low for sign in NO_NETWORK) and not other:
        where = (
            f" (the CPU builds of PyTorch come from {CPU_BUILDS})" if f"{TORCH}+cpu" in text else ""
        )
        return (
            f"The network did not answer. Set-up must download packages once{where}; "
            "afterwards the course runs offline.\n"
            "Check the connection (behind a proxy set HTTPS_PROXY), then run this command "
            "again; what is installed stays." + said
        )
    if re.search(r"no matching distribution found for torch\b", low):
        here = (
            f"Python {sys.version_info[0]}.{sys.version_info[1]} on {platform.system()} "
            f"{platform.machine()}"
        )
        return (
            f"There is no {TORCH} for {here}.\nUse Python 3.10 to 3.13 on 64-bit Linux, "
            "Windows or a Mac with Apple's own chip." + said
        )
    if "permission denied" in low or "errno 13" in low:
        return (
            f"A file could not be written. Is {ROOT} yours to write? Run without sudo, in a "
            "folder of your own." + said
        )
    return (
        "Set-up stopped. Run this command again; if it stops at the same place, delete the "
        f"folder {VENV} first." + said
    )


def clock(seconds):
    "Seconds as M:SS."
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def read_log():
    "What pip wrote to its log."
    return LOG.read_text(encoding="utf8", errors="replace")


def latest():
    "What pip is busy with, from its log."
    found = re.findall(
        r"(Collecting|Downloading|Installing collected packages|Building wheel)[ :]+([^\s,(]+)",
        read_log(),
    )
    if not found:
        return ""
    return (
        "installing"
        if found[-1][0].startswith("Inst")
        else f"{found[-1][0].lower()} {found[-1][1].rsplit('/', 1)[-1]}"
    )


def pip(args, what, lock=None):
    """Run pip in the environment: its own bars in a terminal, one line now and then in a log;
    SetupError on failure. It is stopped with all that it started when this process is.
    """
    LOG.write_bytes(b"")
    terminal = sys.stdout.isatty()
    shown = None if terminal else subprocess.DEVNULL
    command = (
        [python_in(VENV), "-m", "pip", "--log", str(LOG)]
        + args
        + ([] if terminal else ["--quiet", "--progress-bar", "off"])
    )
    start = said = time.time()
    alone = {}
    if os.name == "posix":
        alone = {"start_new_session": True, "pass_fds": [lock.fileno()] if lock else []}
    process = subprocess.Popen(
        command, cwd=str(ROOT), env=clean_env(), stdout=shown, stderr=shown, **alone
    )
    try:
        while process.poll() is None:
            time.sleep(0.1)
            if terminal or time.time() - said < HEARTBEAT:
                continue
            said = time.time()
            print(f"      {what} {clock(said - start)}  {latest()}", flush=True)
    except BaseException:
        stop(process)
        raise
    if process.returncode:
        raise SetupError(explain(read_log()))


def stop(process, patience=10):
    "End a process and what it started."
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        try:
            if os.name == "posix":
                os.killpg(process.pid, number)
            else:
                process.terminate()
        except OSError:
            return  # all of it has ended
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def torch_args(build):
    """pip's arguments for this machine's PyTorch. It comes first: any package that needs it would
    else choose the build.

    Where there is no GPU the CPU build is asked for by name, so that pip can never fetch
    gigabytes for GPUs in its place.
    """
    if build != "cpu":
        return ["install", "--retries", "1", TORCH]
    return ["install", "--retries", "1", "--extra-index-url", CPU_BUILDS, TORCH + "+cpu"]


def gpu_packages(names):
    "Those of the package names that belong to a GPU build."
    return sorted(n for n in names if re.match(r"(nvidia|cuda|triton)([-_]|$)", n.lower()))


def check_result(build):
    """Stop if packages for GPUs came in on a machine without one, or nothing works; a line on what
    was installed.
    """
    listing = ask("-m", "pip", "list", "--format", "json") or "[]"
    extra = gpu_packages(p["name"] for p in json.loads(listing[listing.index("[") :]))
    if build == "cpu" and extra:
        raise SetupError(
            "Packages for GPUs came in although this machine has no NVIDIA GPU: "
            f"{', '.join(extra)}.\n"
            f"Delete {VENV} and run this command again."
        )
    said = ask(
        "-c",
        "import torch, mmgen; device = 'GPU' if torch.cuda.is_available() else 'CPU'\n"
        "print('mmgen', mmgen.__version__, 'with PyTorch', torch.__version__, 'on', device)",
    )
    if said is None:
        raise SetupError(
            f"What was installed does not import. Delete {VENV} and run this command again."
        )
    return said.strip().splitlines()[-1]


# What the commands do


def say(text):
    "A line that appears at once, in a log too."
    print(text, flush=True)


def install(build, extra, lock=None):
    "PyTorch, then everything else, then a look whether it works."
    check_pip_settings()
    if STAMP.exists():
        STAMP.unlink()
    say("[2/4] PyTorch, by far the largest download")
    pip(torch_args(build), "PyTorch", lock)
    quiet([python_in(VENV), "-m", "pip", "uninstall", "-y", "mmgen"])  # its name until now
    say("[3/4] the course's packages")
    pip(["install", "--retries", "1", "--editable", f".[{extra}]"], "packages", lock)
    say("[4/4] looking whether it works")
    say("      " + check_result(build))


def set_up(extra):
    "Make the environment ready for `extra` ('course' or 'dev'); does nothing where it is."
    check_python()
    build = torch_build()
    if is_ready(extra, build):
        return
    check_venv_module()
    check_disk(build)
    with one_at_a_time() as lock:
        if not is_ready(extra, build):  # nor did the one that was waited for make it so
            make_ready(extra, build, lock)


def make_ready(extra, build, lock):
    "Environment, packages, a look at the result, and the note that all of it is there."
    start = time.time()
    stamp = read_stamp()
    before = set(stamp.get("extras", ())) if stamp.get("key") == key(build) else set()
    say(f"Setting up in {VENV} ({BUILDS[build]})")
    say("[1/4] environment")
    make_environment()
    UNFINISHED.touch()
    try:
        install(build, extra, lock)
    except SetupError:
        UNFINISHED.unlink()
        raise  # pip has put back what it could not finish
    write_stamp(build, before | {"course", extra})
    UNFINISHED.unlink()
    say(f"Set-up took {clock(time.time() - start)} minutes. Running this command again is quick.")


def others():
    "What the environment knows of other packages called mmgen, one sentence each."
    look = "from mmgen.installed import others; print('\\n'.join(others()))"
    return [line for line in (ask("-W", "ignore", "-c", look) or "").splitlines() if line.strip()]


def hand_over(args):
    """Run the command in the environment and give back its exit code; Ctrl-C and SIGTERM go to
    it.
    """
    process = subprocess.Popen(
        [python_in(VENV), "-m", "workshop"] + args, env=dict(clean_env(), PYTHONPATH=str(ROOT))
    )
    signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def terminated(number, frame):
    "Let SIGTERM unwind what is under way, as Ctrl-C does."
    raise SystemExit(128 + number)


def main(args):
    "Set up what `args` need, then run them."
    if args and args[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if args and args[0].startswith("-"):
        args = ["lab"] + args
    signal.signal(signal.SIGTERM, terminated)
    try:
        set_up("dev" if args and args[0] in DEV_COMMANDS else "course")
    except SetupError as e:
        print(f"\n{e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    for text in others():
        print(f"Note: {text}", file=sys.stderr)
    if args and args[0] in ("setup", "setup-dev"):
        return 0
    return hand_over(args or ["lab"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
