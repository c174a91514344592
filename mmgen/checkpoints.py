"""What a run needs so that it can go on exactly.

In the order of reading: nested state in one file named by its step (`save_checkpoint`,
`load_checkpoint`), written as `mmgen.files` writes; random number generators as data
(`grab_rng`, `put_rng`, `fresh_rng`); one run per folder (`FolderLock`); signals that wait for the
end of a step (`Interrupts`). Notebook 02d uses all of it and shows what it is for.

```python
>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     path = save_checkpoint(folder, 100, {"weights": torch.ones(2), "lr": 0.1})
...     state = load_checkpoint(folder)
>>> path.name, state["step"], state["lr"]
('step_00000100.safetensors', 100, 0.1)

```
"""

import os
import random
import re
import signal
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

import mmgen

from .files import FORMAT, CheckpointError, read_tensors, write_tensors


# Checkpoints: nested dicts and lists of anything that a run needs, in one file named by its step


def save_checkpoint(folder, step, state, keep_last=2):
    """Save `state` (nested dicts and lists of tensors, numbers, text) as
    `folder`/step_XXXXXXXX.safetensors; returns the path.

    Only then are older files removed, all but the newest `keep_last` (at least 2: the newest
    alone may be damaged).
    """
    folder = Path(folder)
    check_keep_last(keep_last)
    if not folder.is_dir():
        raise CheckpointError(
            f"cannot save in {folder}: {'it is a file' if folder.exists() else 'no such folder'}"
        )
    tensors = {}
    tree = _split(state, "", tensors)
    path = write_tensors(
        folder / f"step_{step:08d}.safetensors", tensors, {"step": step, "tree": tree}
    )
    for old in [p for s, p in checkpoints_in(folder) if s <= step][:-keep_last]:
        old.unlink(missing_ok=True)
    return path


def check_keep_last(n):
    "ValueError unless `n` is a whole number of at least 2."
    if not isinstance(n, int) or n < 2:
        raise ValueError(
            f"keep_last={n!r}; expected at least 2, so that a whole file is always left"
        )


def checkpoints_in(folder):
    "[(step, path)] of the checkpoints in `folder`, by step number."
    found = [p for p in Path(folder).glob("step_*.safetensors") if p.is_file()]
    named = [(re.fullmatch(r"step_(\d+)\.safetensors", p.name), p) for p in found]
    return sorted((int(m[1]), p) for m, p in named if m)


def load_checkpoint(folder, step=None):
    """The state saved in `folder` at `step`, or the newest whole one, with `step` and `path` added.

    A damaged newest file is skipped with a warning. FileNotFoundError if there is none, and for
    a missing `step` says which there are.
    """
    found, errors = dict(checkpoints_in(folder)), []
    if not found:
        raise FileNotFoundError(
            f"no checkpoint in {folder}: expected files like step_00001000.safetensors"
        )
    if step is not None and step not in found:
        raise FileNotFoundError(f"no step {step} in {folder}; there: {', '.join(map(str, found))}")
    for s in [step] if step is not None else sorted(found, reverse=True):
        try:
            tensors, meta = read_tensors(found[s])
        except CheckpointError as e:
            errors.append(str(e))
            continue
        for text in errors:
            warnings.warn(f"{text}; going back to step {s}", stacklevel=2)
        if meta.get("format") != FORMAT or "tree" not in meta:
            raise CheckpointError(f"{found[s]}: {_other_version(meta)}")
        if meta.get("step") != s:
            raise CheckpointError(
                f"{found[s]} was saved at step {meta.get('step')}: it was renamed. Give it back "
                "its name, or move it away"
            )
        return {**_join(meta["tree"], tensors), "step": s, "path": found[s]}
    raise CheckpointError("; ".join(errors))


def _other_version(meta):
    what = (
        f"mmgen {meta.get('mmgen')} in format "
        f"{meta.get('format')}{'' if 'tree' in meta else ', as weights only'}"
    )
    return f"written by {what}; mmgen {mmgen.__version__} goes on from format {FORMAT}"


def _split(tree, name, tensors):
    """Nested dicts and lists as JSON; tensors go to `tensors` under a dotted name, each under its
    own. TypeError for what JSON or safetensors cannot hold.
    """
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return tree
    if isinstance(tree, torch.Tensor):
        while name in tensors:  # {"a": {"b": x}, "a.b": y} and {0: x, "0": y} are two names each
            name += "'"
        tensors[name] = tree
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"dict": [_entry(key, value, name, tensors) for key, value in tree.items()]}
    if isinstance(tree, (list, tuple)):
        return {"list": [_split(v, f"{name}.{i}", tensors) for i, v in enumerate(tree)]}
    raise TypeError(
        f"{name}: a checkpoint holds tensors, numbers, text, lists and dicts, not "
        f"{type(tree).__name__}"
    )


def _entry(key, value, name, tensors):
    "One [key, value] of a dict."
    if key is not None and not isinstance(key, (bool, int, float, str)):
        raise TypeError(
            f"{name or 'state'} has the key {key!r}, a {type(key).__name__}; a checkpoint's keys "
            "are text or numbers"
        )
    return [key, _split(value, f"{name}.{key}" if name else str(key), tensors)]


def _join(tree, tensors):
    "The inverse of `_split`."
    if not isinstance(tree, dict):
        return tree
    if "tensor" in tree:
        return tensors[tree["tensor"]]
    if "dict" in tree:
        return {k: _join(v, tensors) for k, v in tree["dict"]}
    return [_join(v, tensors) for v in tree["list"]]


# Random number generators


def grab_rng(device):
    "The generators of Python, NumPy, PyTorch and the device as they are now."
    gpu = (
        torch.cuda.get_rng_state(device)
        if device.type == "cuda"
        else torch.mps.get_rng_state()
        if device.type == "mps"
        else None
    )
    return random.getstate(), np.random.get_bit_generator(), torch.get_rng_state(), gpu


def put_rng(held, device):
    "The inverse of `grab_rng`."
    random.setstate(held[0])
    np.random.set_bit_generator(held[1])
    torch.set_rng_state(held[2])
    if held[3] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(held[3], device)
    if held[3] is not None and device.type == "mps":
        torch.mps.set_rng_state(held[3])


def fresh_rng(seed, device):
    "Generators that follow from `seed`."
    outside = grab_rng(device)
    random.seed(seed)
    torch.manual_seed(seed)
    inside = grab_rng(device)
    put_rng(outside, device)
    return inside[0], np.random.MT19937(seed), *inside[2:]


def rng_tree(held):
    "Generators as tensors and numbers, for a checkpoint."
    (version, keys, gauss), numpy, cpu, gpu = held
    mt = numpy.state["state"]
    return {
        "python": [version, torch.tensor(keys), gauss],
        "numpy": [torch.from_numpy(mt["key"].astype(np.int64)), int(mt["pos"])],
        "torch": cpu,
        "gpu": gpu,
    }


def rng_held(tree, device):
    """The inverse of `rng_tree`; a device that was not there when it was saved keeps its own
    generator.
    """
    (version, keys, gauss), (mt, pos), numpy = tree["python"], tree["numpy"], np.random.MT19937(0)
    numpy.state = {
        "bit_generator": "MT19937",
        "state": {"key": mt.numpy().astype(np.uint32), "pos": pos},
    }
    return (
        (version, tuple(keys.tolist()), gauss),
        numpy,
        tree["torch"],
        grab_rng(device)[3] if tree["gpu"] is None else tree["gpu"],
    )


# One run per folder


class FolderLock:
    """Holds `folder` for one run: refuses a second process, takes over from an older run of this
    one, removes half-written files.
    """

    here = {}  # folder -> the lock that this process holds

    def __init__(self, folder):
        self.folder, self.file, self.lost = Path(folder).resolve(), None, False

    def __enter__(self):
        lock = self.folder / ".lock"
        if lock.is_symlink():
            raise CheckpointError(f"{lock} is a link; expected a file of this run. Remove it")
        try:
            self.folder.mkdir(exist_ok=True)
            if self.folder in self.here:
                self.here[self.folder].release()
            self.file = open(lock, "a+")
        except OSError as e:
            raise CheckpointError(f"cannot save in {self.folder}: {e.strerror or e}") from e
        self.claim()
        for temp in self.folder.glob(".step_*.tmp"):
            temp.unlink(missing_ok=True)
        self.here[self.folder] = self
        return self

    def claim(self):
        "Lock the file and write the process id into it; RuntimeError if another process has it."
        try:
            _lock(self.file)
        except OSError:
            self.file.seek(0)
            owner = self.file.read().strip() or "unknown"
            self.file.close()
            raise RuntimeError(
                f"{self.folder} is in use by process {owner}: end that run, or give another folder"
            ) from None
        self.file.truncate(0)
        self.file.write(str(os.getpid()))
        self.file.flush()

    def release(self):
        "Give the folder up; the file stays, since removing it could let two runs in."
        self.lost = True
        self.here.pop(self.folder, None)
        with suppress(OSError, ValueError):
            self.file.truncate(0)
            self.file.close()

    def __exit__(self, *_):
        if not self.lost:
            self.release()


def _lock(file):
    "Lock `file` until it is closed or the process dies; OSError if another process has it."
    try:
        import fcntl
    except ImportError:
        import msvcrt

        os.lseek(
            file.fileno(), 2**30, os.SEEK_SET
        )  # far behind the process id: nobody else may read a locked byte there
        return msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# Signals


class Interrupts:
    """Inside, Ctrl-C and SIGTERM wait for the end of the step, then `save()` is called and the
    process stops; a second one stops it at once.
    """

    def __init__(self, save):
        self.save, self.caught, self.busy, self.old = save, None, False, {}

    def __enter__(self):
        with suppress(ValueError):  # in another thread than the main one, where no signals arrive
            for s in (signal.SIGINT, signal.SIGTERM):
                self.old[s] = signal.signal(s, self.handle)
        return self

    def __exit__(self, *_):
        for s, handler in self.old.items():
            signal.signal(s, handler)

    def handle(self, number, frame):
        "Remember the signal; act on it now if no step is under way, or if it is the second."
        again, self.caught = self.caught, number
        if again or not self.busy:
            self.stop()

    def stop(self):
        "Save, then raise KeyboardInterrupt, or exit with code 128 + the signal's number."
        if not self.busy:
            self.save()
        raise KeyboardInterrupt if self.caught == signal.SIGINT else SystemExit(128 + self.caught)
