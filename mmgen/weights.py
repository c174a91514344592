"""Files of weights that are whole or absent.

In the order of reading: one safetensors file that carries its own sha256 (`write_tensors`,
`read_tensors`); weights with the config that they need and a record of how they were made
(`save_weights`, `load_weights`); a state that fits a model name by name, or is refused
(`load_state`); models with `save_pretrained` and `from_pretrained` (`Pretrained`). Nothing here is
or reads a pickle. `mmgen.checkpoints` builds on it.

```python
>>> import tempfile
>>> import torch
>>> model = torch.nn.Linear(2, 1)
>>> with tempfile.TemporaryDirectory() as folder:
...     path = save_weights(model, Path(folder) / "line.safetensors", config={"dim": 2})
...     tensors, config, record = load_weights(path)
>>> model = load_state(model, tensors)
>>> config, sorted(tensors)
({'dim': 2}, ['bias', 'weight'])

```
"""

import hashlib
import inspect
import io
import json
import os
import re
import tempfile
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import PyTorchModelHubMixin

import mmgen


class CheckpointError(RuntimeError):
    """A file of weights cannot be written, or is not what it should be; the message names the file,
    the cause and the way out.
    """


# A file that is whole or absent


FORMAT = 1  # of the files that this version writes
_ZEROS = b"0" * 64


def write_tensors(path, tensors, meta):
    """Write tensors (name -> tensor) and JSON to one safetensors file that carries its own sha256:
    whole, or not at all. Returns the path.
    """
    return _replace(path, _pack(tensors, meta))


def _replace(path, blob):
    """Put `blob` at `path` in one move: a temporary file beside it, fsync, rename, fsync of the
    folder.
    """
    path, temp = Path(path), Path(path).with_name(f".{Path(path).name}.{os.getpid()}.tmp")
    try:
        with open(temp, "wb") as f:
            f.write(blob)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temp, path)
        _sync_folder(path.parent)
    except OSError as e:
        raise CheckpointError(
            f"cannot write {path}: {e.strerror or e}. What was there before is untouched"
        ) from e
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)
    return path


def _sync_folder(folder):
    "Make a rename in `folder` last through a power cut, where the system can."
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _pack(tensors, meta):
    """The bytes of the file, equal for equal contents. Its sha256 is taken with its own 64
    characters as zeros, then written over them.
    """
    from safetensors.torch import save

    text = json.dumps({"format": FORMAT, "mmgen": mmgen.__version__, **meta})
    packed = save(_plain(tensors), metadata={"mmgen": text, "sha256": _ZEROS.decode()})
    header = json.dumps(
        _header(packed), sort_keys=True, separators=(",", ":")
    ).encode()  # the library's own order varies
    header += b" " * (-len(header) % 8)
    blob = bytearray(
        len(header).to_bytes(8, "little")
        + header
        + packed[8 + int.from_bytes(packed[:8], "little") :]
    )
    at = blob.index(b'"sha256":"' + _ZEROS) + 10
    blob[at : at + 64] = hashlib.sha256(blob).hexdigest().encode()
    return blob


def _plain(tensors):
    "Contiguous CPU tensors that share no memory: safetensors takes no others."
    seen, out = set(), {}
    for name, t in tensors.items():
        t = t.detach().cpu().contiguous()
        where = t.untyped_storage().data_ptr()
        out[name] = t.clone() if where in seen else t
        seen.add(where)
    return out


_AGAIN = "Delete it and fetch or save it again"
_OTHERS = {
    b"<": "a web page, not weights: the download met a login or error page",
    b"version https://git-lfs": "a git-lfs pointer, not weights: run `git lfs pull`",
    b"PK\x03\x04": "a zip or .pt file, which may run code when loaded",
    b"\x80": "a pickle, which may run code when loaded",
}


def read_tensors(path):
    """(tensors, meta) of a file of `write_tensors`, on the CPU, sha256 checked, no code run.
    CheckpointError says what any other file is.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        blob = Path(path).read_bytes()
    except OSError as e:
        raise CheckpointError(f"cannot read {path}: {e.strerror or e}") from e
    meta = _checked_meta(f"{path} ({len(blob):,} bytes)", blob)
    try:
        return dict(sorted(load(blob).items())), json.loads(meta)
    except (SafetensorError, ValueError, RuntimeError, KeyError) as e:
        raise CheckpointError(f"{path}: {e}. {_AGAIN}") from e


def _checked_meta(what, blob):
    """Our JSON text from the header of `blob`; CheckpointError unless the file is ours and its
    sha256 is the recorded one.
    """
    header = _header(blob)
    kind = next((kind for start, kind in _OTHERS.items() if blob.lstrip().startswith(start)), None)
    if kind and not header:
        raise CheckpointError(f"{what} is {kind}. {_AGAIN}")
    meta = header.get("__metadata__")
    want = meta.get("sha256") if isinstance(meta, dict) else None
    if not isinstance(want, str) or len(want) != 64 or not isinstance(meta.get("mmgen"), str):
        if header and (meta is None or isinstance(meta, dict) and "mmgen" not in meta):
            raise CheckpointError(
                f"{what} holds tensors, but no record of mmgen: what save_pretrained wrote is "
                "read by "
                f"from_pretrained(folder), anything else is damaged. {_AGAIN}"
            )
        raise CheckpointError(
            f"{what} is cut, damaged or not from mmgen: its header holds no record. {_AGAIN}"
        )
    at = blob.find(f'"sha256":"{want}'.encode()) + 10
    digest = hashlib.sha256(blob[:at] + _ZEROS)
    digest.update(memoryview(blob)[at + 64 :])
    if (got := digest.hexdigest()) != want:
        raise CheckpointError(
            f"{what} is cut or damaged: sha256 {got[:12]}.., recorded {want[:12]}... {_AGAIN}"
        )
    return meta["mmgen"]


def _header(blob):
    "The JSON header of a safetensors file; {} for anything else."
    try:
        header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    except (ValueError, OverflowError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


# Weights: tensors, the config that the model is built from, and a record of how they were made


class Weights(NamedTuple):
    "What `load_weights` returns."

    tensors: dict  # name -> tensor, as in `model.state_dict()`
    config: dict  # what the model is built from
    record: dict  # how it was trained and what was measured


def save_weights(model, path, config=None, record=None):
    """Write a model's weights, its config (dict or dataclass; default `model.config`) and a record
    to `path`, with a .json copy to read.
    """
    meta = {
        "config": as_dict(getattr(model, "config", None) if config is None else config),
        "record": record or {},
    }
    path = write_tensors(path, model.state_dict(), meta)
    _replace(path.with_suffix(".json"), (json.dumps(meta, indent=1) + "\n").encode())
    return path


def load_weights(path) -> Weights:
    """The `Weights` in a file of `save_weights`; sha256 checked, no code run. CheckpointError says
    what is wrong.
    """
    tensors, meta = read_tensors(path)
    return Weights(tensors, meta.get("config", {}), meta.get("record", {}))


def as_dict(config):
    "A config, dataclass or dict or None, as a dict."
    return asdict(config) if is_dataclass(config) else dict(config or {})


def load_state(model, tensors, called=lambda name: name):
    """Copy `tensors` (name -> tensor) into `model`: all of them, nothing else. ValueError lists the
    first five names that do not fit, each as `called(name)`: what the file that the tensors came
    from calls it. A model with `current_names` first renames what an earlier version saved.
    """
    tensors = model.current_names(tensors) if hasattr(model, "current_names") else tensors
    own = model.state_dict()
    wrong = {
        "missing": [k for k in own if k not in tensors],
        "unexpected": [k for k in tensors if k not in own],
        "wrongly shaped": [k for k in own if k in tensors and tensors[k].shape != own[k].shape],
    }
    if any(wrong.values()):

        def shapes(k):
            return (
                f" {tuple(tensors[k].shape)} for {tuple(own[k].shape)}"
                if k in wrong["wrongly shaped"]
                else ""
            )

        said = "; ".join(
            f"{len(v)} {kind}: "
            f"{', '.join(called(k) + shapes(k) for k in v[:5])}{', ..' if len(v) > 5 else ''}"
            for kind, v in wrong.items()
            if v
        )
        raise ValueError(
            f"the weights do not fit {type(model).__name__}: {said}{_prefix_hint(own, tensors)}"
        )
    model.load_state_dict(tensors)
    return model


def _prefix_hint(own, tensors):
    "What to do if every name has only a wrapper's prefix too many."
    for p in ("module.", "_orig_mod."):
        if (
            tensors
            and all(k.startswith(p) for k in tensors)
            and not any(k.startswith(p) for k in own)
        ):
            return (
                f". Every name starts with {p!r}, from a wrapper: pass "
                f"{{k.removeprefix({p!r}): v for k, v in tensors.items()}}"
            )
    return ""


class Pretrained(PyTorchModelHubMixin):
    """Base of models that a folder or a Hub repository holds: `save_pretrained`, `from_pretrained`,
    `push_to_hub` (huggingface_hub).
    """

    @classmethod
    def from_pretrained(cls, where, *args, strict=True, **kw):
        """The stored model, in eval mode. RuntimeError lists every name and shape that does not
        fit; with `strict=False` those keep their first values. FileNotFoundError or
        CheckpointError for a folder that is missing, damaged or another model's.
        """
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
        from safetensors import SafetensorError

        _check_stored(cls, where)
        try:
            with _without("Loading weights from local directory\n"):
                return super().from_pretrained(where, *args, strict=strict, **kw)
        except SafetensorError as e:
            raise CheckpointError(_unreadable(Path(where) / "model.safetensors", e)) from e
        except (HfHubHTTPError, LocalEntryNotFoundError) as e:
            raise FileNotFoundError(
                f"{str(where)!r} is no folder here, and did not come from the Hub: {e}"
            ) from e

    def save_pretrained(
        self, where, *, config=None, repo_id=None, push_to_hub=False, model_card_kwargs=None, **push
    ):
        """Weights, config and a card in the folder `where`, and with `push_to_hub` on the Hub too;
        a card that is there stays.

        All is written beside what is there and then moved. CheckpointError for what cannot be
        written: the stored model is as before.
        """
        from safetensors import SafetensorError

        folder = Path(where)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".save-", dir=folder) as temp:
                super().save_pretrained(temp, config=config, model_card_kwargs=model_card_kwargs)
                new = [
                    p
                    for p in Path(temp).iterdir()
                    if p.name != "README.md" or not (folder / p.name).exists()
                ]
                for p in sorted(new, key=lambda p: p.suffix == ".json"):
                    os.replace(p, folder / p.name)  # the config last
        except (OSError, SafetensorError) as e:
            raise CheckpointError(
                f"cannot save in {folder}: {e}. What was there before is untouched"
            ) from e
        if push_to_hub:
            return self.push_to_hub(
                repo_id or folder.name, config=config, model_card_kwargs=model_card_kwargs, **push
            )


@contextmanager
def _without(line):
    """Leave this line out of what is printed inside: the library says it at every load. All else is
    printed at the end.
    """
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            yield
    finally:
        print(said.getvalue().replace(line, "", 1), end="")


def _check_stored(cls, where):
    """Refuse what is no folder and no name on the Hub, and a config.json that is damaged or has
    fields that the model does not know.
    """
    folder, file = Path(where), Path(where) / "config.json"
    if folder.is_file():
        raise NotADirectoryError(
            f"{where} is a file; expected the folder that holds config.json and model.safetensors"
        )
    if not folder.is_dir() and (
        isinstance(where, Path) or not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", where)
    ):
        raise FileNotFoundError(
            f"there is no folder {where}; expected one of save_pretrained, or owner/name on the Hub"
        )
    if not file.is_file():
        return
    try:
        stored = json.loads(file.read_text(encoding="utf8"))
    except ValueError as e:
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) is cut or damaged: {e}. {_AGAIN}"
        ) from e
    wants = inspect.signature(cls.__init__).parameters
    known = {
        f.name for p in wants.values() if is_dataclass(p.default) for f in fields(p.default)
    } | set(wants)
    odd = (
        [k for k in stored if k not in known][:3]
        if isinstance(stored, dict)
        else ["a " + type(stored).__name__]
    )
    if odd:
        raise CheckpointError(
            f"{file} is not of {cls.__name__}: {', '.join(odd)} is no part of its config"
        )


def _unreadable(file, error):
    "What is wrong with a file of weights that safetensors refuses."
    blob = file.read_bytes()[:4096]
    kind = next(
        (f"is {kind}" for start, kind in _OTHERS.items() if blob.lstrip().startswith(start)),
        f"is cut or damaged: {error}",
    )
    return f"{file} ({file.stat().st_size:,} bytes) {kind}. {_AGAIN}"
