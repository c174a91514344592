"""A file of tensors that is whole or absent, and says when it is not what it was.

One safetensors file holds named tensors and JSON, and carries its own sha256: `write_tensors` puts
it in place in one move, `read_tensors` compares the checksum and runs no code. `replace` does the
same for any bytes. Nothing here is or reads a pickle.

```python
>>> import tempfile
>>> import torch
>>> with tempfile.TemporaryDirectory() as folder:
...     path = write_tensors(Path(folder) / "a.safetensors", {"a": torch.ones(2)}, {"step": 3})
...     tensors, meta = read_tensors(path)
>>> tensors["a"].tolist(), meta["step"]
([1.0, 1.0], 3)

```
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

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
    return replace(path, _pack(tensors, meta))


def replace(path, blob):
    """Put `blob` at `path` in one move: a temporary file beside it, fsync, rename, fsync of the
    folder.
    """
    path = Path(path)
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temp.unlink(missing_ok=True)
        with open(temp, "xb") as f:  # never through a link that somebody put there
            f.write(blob)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temp, path)
        sync_folder(path.parent)
    except OSError as e:
        raise CheckpointError(
            f"cannot write {path}: {e.strerror or e}. What was there before is untouched"
        ) from e
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)
    return path


def sync_folder(folder):
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
    # the library's own order varies
    header = json.dumps(header_of(packed), sort_keys=True, separators=(",", ":")).encode()
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
    seen = set()
    out = {}
    for name, t in tensors.items():
        t = t.detach().cpu().contiguous()
        where = t.untyped_storage().data_ptr()
        out[name] = t.clone() if where in seen else t
        seen.add(where)
    return out


AGAIN = "Delete it and fetch or save it again"
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
    meta = checked_meta(f"{path} ({len(blob):,} bytes)", blob)
    try:
        return dict(sorted(load(blob).items())), json.loads(meta)
    except (SafetensorError, ValueError, RuntimeError, KeyError) as e:
        raise CheckpointError(f"{path}: {e}. {AGAIN}") from e


def checked_meta(what, blob):
    """Our JSON text from the header of `blob`; CheckpointError unless the file is ours and its
    sha256 is the recorded one.
    """
    header = header_of(blob)
    kind = next((kind for start, kind in _OTHERS.items() if blob.lstrip().startswith(start)), None)
    if kind and not header:
        raise CheckpointError(f"{what} is {kind}. {AGAIN}")
    meta = header.get("__metadata__")
    want = meta.get("sha256") if isinstance(meta, dict) else None
    if not isinstance(want, str) or len(want) != 64 or not isinstance(meta.get("mmgen"), str):
        if header and (meta is None or isinstance(meta, dict) and "mmgen" not in meta):
            raise CheckpointError(
                f"{what} holds tensors, but no record of mmgen: what save_pretrained wrote is "
                "read by "
                f"from_pretrained(folder), anything else is damaged. {AGAIN}"
            )
        raise CheckpointError(
            f"{what} is cut, damaged or not from mmgen: its header holds no record. {AGAIN}"
        )
    at = blob.find(f'"sha256":"{want}'.encode()) + 10
    digest = hashlib.sha256(blob[:at] + _ZEROS)
    digest.update(memoryview(blob)[at + 64 :])
    if (got := digest.hexdigest()) != want:
        raise CheckpointError(
            f"{what} is cut or damaged: sha256 {got[:12]}.., recorded {want[:12]}... {AGAIN}"
        )
    return meta["mmgen"]


def header_of(blob):
    "The JSON header of a safetensors file; {} for anything else."
    try:
        header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    except (ValueError, OverflowError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


# Weights: tensors, the config that the model is built from, and a record of how they were made


def unreadable(file, error):
    "What is wrong with a file of weights that safetensors refuses."
    blob = file.read_bytes()[:4096]
    kind = next(
        (f"is {kind}" for start, kind in _OTHERS.items() if blob.lstrip().startswith(start)),
        f"is cut or damaged: {error}",
    )
    return f"{file} ({file.stat().st_size:,} bytes) {kind}. {AGAIN}"
