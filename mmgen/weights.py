"""Weights with the config that they need, stored and found again.

In the order of reading: weights with config and a record of how they were made (`save_weights`,
`load_weights`); a state that fits a model name by name, or is refused (`load_state`); models with
`save_pretrained` and `from_pretrained` (`Pretrained`). The files are those of `mmgen.files`, whole
or absent, and nothing is or reads a pickle.

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

import inspect
import io
import json
import os
import re
import shutil
import tempfile
import time
import warnings
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import PyTorchModelHubMixin

from .configs import as_dict, check_size, config_from
from .files import (
    AGAIN,
    CheckpointError,
    checked_meta,
    header_of,
    read_tensors,
    replace,
    sync_folder,
    unreadable,
    write_tensors,
)


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
    replace(path.with_suffix(".json"), (json.dumps(meta, indent=1) + "\n").encode())
    return path


def load_weights(path) -> Weights:
    """The `Weights` in a file of `save_weights`; sha256 checked, no code run. CheckpointError says
    what is wrong.
    """
    tensors, meta = read_tensors(path)
    return Weights(tensors, meta.get("config", {}), meta.get("record", {}))


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

    `model.safetensors` carries its own sha256 and the config that the weights need, so that it is
    whole by itself; `config.json` is a copy of that config. Pickles are never read.
    """

    @classmethod
    def from_pretrained(cls, where, *args, strict=True, **kw):
        """The stored model, in eval mode. RuntimeError lists every name and shape that does not
        fit; with `strict=False` those keep their first values. FileNotFoundError or
        CheckpointError for a folder that is missing, damaged or another model's.
        """
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        _check_place(where)
        try:
            folder = Path(where)
            if not folder.is_dir():
                folder = _fetched(where, kw)
            kw = {**_stored_config(cls, folder), **kw}
            with _without("Loading weights from local directory\n"):
                return super().from_pretrained(folder, *args, strict=strict, **kw)
        except (HfHubHTTPError, LocalEntryNotFoundError) as e:
            raise FileNotFoundError(
                f"{str(where)!r} is no folder here, and did not come from the Hub: {e}"
            ) from e

    def save_pretrained(
        self, where, *, config=None, repo_id=None, push_to_hub=False, model_card_kwargs=None, **push
    ):
        """Weights, config and a card in the folder `where`, and with `push_to_hub` on the Hub too;
        a card that is there stays.

        All is written beside what is there and then moved, the weights with their config first: a
        save that is cut off leaves the old model or the new one, never half of each.
        CheckpointError for what cannot be written: the stored model is as before.
        """
        from safetensors import SafetensorError

        folder = Path(where)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(folder)
            with tempfile.TemporaryDirectory(prefix=".save-", dir=folder) as temp:
                temp = Path(temp)
                super().save_pretrained(temp, config=config, model_card_kwargs=model_card_kwargs)
                stored = temp / "config.json"  # none for a model without arguments
                config_of = json.loads(stored.read_text(encoding="utf8")) if stored.exists() else {}
                write_tensors(temp / "model.safetensors", self.state_dict(), {"config": config_of})
                for name in ("model.safetensors", "config.json", "README.md"):
                    kept = name == "README.md" and (folder / name).exists()
                    if (temp / name).exists() and not kept:
                        os.replace(temp / name, folder / name)
                sync_folder(folder)
        except (OSError, SafetensorError, CheckpointError) as e:
            raise CheckpointError(
                f"cannot save in {folder}: {e}. What was there before is untouched"
            ) from e
        if push_to_hub:
            return self.push_to_hub(
                repo_id or folder.name, config=config, model_card_kwargs=model_card_kwargs, **push
            )

    def _save_pretrained(self, save_directory):
        "Nothing: `save_pretrained` writes the weights when their config is there."

    @classmethod
    def _load_as_safetensor(cls, model, model_file, map_location, strict):
        from safetensors import SafetensorError

        try:
            return super()._load_as_safetensor(model, model_file, map_location, strict)
        except SafetensorError as e:
            raise CheckpointError(unreadable(Path(model_file), e)) from e


def _fetched(name, options) -> Path:
    "The folder in the cache of the Hub that holds a repository's config and weights."
    from huggingface_hub import snapshot_download

    known = ("revision", "cache_dir", "token", "local_files_only", "force_download")
    chosen = {k: options.pop(k) for k in known if k in options}
    files = ["config.json", "model.safetensors"]
    return Path(snapshot_download(str(name), allow_patterns=files, **chosen))


def _remove_abandoned(folder):
    "Remove what a save that was killed more than an hour ago left in `folder`."
    for left in folder.glob(".save-*"):
        with suppress(FileNotFoundError):  # another save may have removed it
            if time.time() - left.stat().st_mtime > 3600:
                shutil.rmtree(left, ignore_errors=True)


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


def _check_place(where):
    "Refuse what is neither a folder nor a name on the Hub."
    if Path(where).is_file():
        raise NotADirectoryError(
            f"{where} is a file; expected the folder that holds config.json and model.safetensors"
        )
    on_hub = isinstance(where, str) and re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", where)
    if not Path(where).is_dir() and not on_hub:
        raise FileNotFoundError(
            f"there is no folder {where}; expected one of save_pretrained, or owner/name on the Hub"
        )


def _stored_config(cls, folder) -> dict:
    """{"config": the config of the model stored in `folder`, checked against the class and against
    the sizes in the file of weights}, and what else config.json holds for the class; {} for a class
    without a config.
    """
    weights = folder / "model.safetensors"
    if not weights.is_file():
        held = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
        raise FileNotFoundError(f"no model.safetensors in {folder}, which holds {held}")
    carried, shapes = _carried(weights)
    file = folder / "config.json"
    stored = _read_config(cls, file) if file.is_file() else carried
    if stored is None:
        raise CheckpointError(f"no config.json in {folder}, and {weights} carries no config")
    if carried not in (None, stored):
        warnings.warn(
            f"{file} is not the config that the weights beside it were saved with: a save was cut "
            "off, or the file was changed. The config that the weights carry is used",
            stacklevel=3,
        )
        stored = carried
    argument = inspect.signature(cls.__init__).parameters.get("config")
    if argument is None or not is_dataclass(argument.default):
        return {}
    kind = type(argument.default)
    own = {field.name for field in fields(kind)}
    others = {name: value for name, value in stored.items() if name not in own}
    try:
        config = config_from(kind, {k: v for k, v in stored.items() if k in own}, shapes)
        check_size(cls, config, shapes)
    except (ValueError, TypeError) as e:
        raise CheckpointError(f"{file} is no config of {cls.__name__}: {e}") from e
    return {"config": config, **others}


def _carried(weights):
    """(config or None, name -> shape) from the header of a file of weights, whose sha256 is checked
    where the file records one.
    """
    blob = weights.read_bytes()
    header = header_of(blob)
    what = f"{weights} ({len(blob):,} bytes)"
    record = header.pop("__metadata__", None) or {}
    config = None
    if "sha256" in record or "mmgen" in record:
        config = json.loads(checked_meta(what, blob)).get("config")
    try:
        return config, {name: tuple(entry["shape"]) for name, entry in header.items()}
    except (TypeError, KeyError) as e:
        raise CheckpointError(unreadable(weights, e)) from e


def _read_config(cls, file) -> dict:
    "The JSON object in `file`; CheckpointError where it is damaged or has other fields than `cls`."
    try:
        stored = json.loads(file.read_text(encoding="utf8"))
    except (ValueError, RecursionError) as e:
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) is cut or damaged: {e}. {AGAIN}"
        ) from e
    if not isinstance(stored, dict):
        raise CheckpointError(f"{file} is not of {cls.__name__}: a {type(stored).__name__}")
    wants = inspect.signature(cls.__init__).parameters
    configs = [p.default for p in wants.values() if is_dataclass(p.default)]
    known = set(wants).union(*[[f.name for f in fields(c)] for c in configs])
    if odd := [k for k in stored if k not in known][:3]:
        raise CheckpointError(
            f"{file} is not of {cls.__name__}: {', '.join(odd)} is no part of its config"
        )
    return stored
