"""Progress from one device to another: `export(path)`, `restore(path)`, and `keep(folder)` for a
drive that stays.
"""

import hashlib
import json
import math
import os
import uuid
from pathlib import Path

from .progress import (
    COLUMNS,
    VERSION,
    ProgressError,
    database,
    events,
    fault,
    insert,
    is_there,
    progress_file,
    spare,
)

__all__ = ["canonical", "write_text", "export", "read_export", "restore", "keep"]


def canonical(logs):
    """The canonical lines of all events, and their SHA-256: the same events give the same lines,
    wherever they were noted.
    """
    lines = [
        json.dumps([table, *row], ensure_ascii=False, allow_nan=False)
        for table in COLUMNS
        for row in logs[table]
    ]
    return lines, hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write_text(path, text):
    "Write a file whole or not at all."
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part-{uuid.uuid4().hex[:6]}")
    try:
        part.write_text(text, encoding="utf8", newline="\n")
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _keeps_all(path, logs):
    "ProgressError if the export at `path` holds events that `logs` lack: it would lose them."
    try:
        there = read_export(path)
    except (OSError, ProgressError):
        return  # nothing there, or no export that could lose anything
    lost = sum(len({r[0] for r in there[t]} - {r[0] for r in logs[t]}) for t in COLUMNS)
    if lost:
        raise ProgressError(
            f"{path} holds {lost} events that {progress_file()} lacks; import it first, or name "
            "another file"
        )


def export(path):
    """Write everything to one file of JSON lines, which any program can read and which carries its
    own SHA-256; return that sum. ProgressError, and the file at `path` stays as it is, where the
    progress file cannot be read, or where `path` is an export with events that it lacks.
    """
    logs = {table: events(table, strict=True) for table in COLUMNS}
    _keeps_all(path, logs)
    lines, digest = canonical(logs)
    head = json.dumps(
        {"mmgen": "progress", "version": VERSION, "events": len(lines), "sha256": digest}
    )
    write_text(path, "\n".join([head, *lines]) + "\n")
    return digest


def _row(line):
    "One event of an export as (table, row); ValueError if it is not one."
    table, *row = json.loads(line)
    for i, (name, kind) in enumerate(COLUMNS[table].items()):
        if kind is float and type(row[i]) in (int, float):
            row[i] = float(row[i])
        if type(row[i]) is not kind and not (name == "seconds" and row[i] is None):
            raise ValueError(name)
        if (
            kind is float
            and row[i] is not None
            and not math.isfinite(row[i])
            or kind is str
            and not row[i].encode()
        ):
            raise ValueError(name)
    if len(row) != len(COLUMNS[table]):
        raise ValueError(table)
    if wrong := fault(table, row):
        raise ValueError(wrong)
    return table, tuple(row)


def read_export(path):
    """The events of an export as a dict of table -> rows; ProgressError if it is damaged or
    something else.
    """
    try:
        head, *lines = Path(path).read_text(encoding="utf8").rstrip("\n").split("\n")
    except UnicodeDecodeError:
        raise ProgressError(f"{path} is not an export of mmgen: it is not text") from None
    try:
        head = json.loads(head)
        version = head["version"] if head["mmgen"] == "progress" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        version = None
    if type(version) is not int:
        raise ProgressError(f"{path} is not an export of mmgen")
    if version > VERSION:
        raise ProgressError(
            f"{path} is from a newer mmgen (version {version}, this one knows {VERSION}): "
            "update mmgen"
        )
    if hashlib.sha256("\n".join(lines).encode()).hexdigest() != head.get("sha256"):
        raise ProgressError(
            f"{path} is damaged: {len(lines)} lines for {head.get('events')} events, and not "
            "the SHA-256 that it carries"
        )
    logs = {table: [] for table in COLUMNS}
    for n, line in enumerate(lines, 2):
        try:
            table, row = _row(line)
        except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as e:
            raise ProgressError(f"{path}: line {n} is not an event: {e!s:.100}") from None
        logs[table].append(row)
    return {table: sorted(rows, key=lambda row: (row[1], row[0])) for table, rows in logs.items()}


def restore(path, merge=True):
    """Add the events of an export to the progress file and return how many were new; with
    `merge=False` they replace what is there, of which an export is kept beside. A damaged or
    foreign file changes nothing.
    """
    logs = read_export(path)
    if not merge and is_there(progress_file(), strict=True):
        export(spare(progress_file(), "before-import").with_suffix(".jsonl"))
    with database() as db:
        if not merge:
            for table in COLUMNS:
                db.execute(f"DELETE FROM {table}")
        return sum(insert(db, table, row) for table, rows in logs.items() for row in rows)


def keep(folder):
    """Keep the progress in `folder` from now on, with what was noted so far: on Colab
    `keep('/content/drive/MyDrive/mmgen')`.
    """
    folder = Path(folder).expanduser()
    if not folder.parent.is_dir():
        raise FileNotFoundError(
            f"folder={str(folder)!r}: {folder.parent} is not there; is the drive mounted?"
        )
    logs = {table: events(table, strict=True) for table in COLUMNS}
    os.environ["MMGEN_HOME"] = str(folder)
    with database() as db:
        for table, rows in logs.items():
            for row in rows:
                insert(db, table, row)
    print(f"Progress is kept in {progress_file()}.")
