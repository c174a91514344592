"""What the learner has done, in one SQLite file in the user's data folder (or in `MMGEN_HOME`).

Three logs: attempts at exercises, reviews of questions, interview sessions. Events are only
added, each under an id of its own, so that files of two devices can be merged in any order and
as often as one likes; everything else is computed from the logs. The journal is a rollback
journal, not WAL: WAL needs shared memory, which Drive and network folders lack.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import sqlite3
import time
import uuid
from pathlib import Path

__all__ = [
    "ProgressError",
    "progress_file",
    "database",
    "record",
    "history",
    "forget",
    "add",
    "events",
    "unsaved",
    "save_session",
]
LANGUAGES = ("en", "zh")
SESSION_BYTES = 2_000_000  # of one stored session; an hour's interview takes some 50 kB
LATEST = 4_102_444_800.0  # 1 January 2100, in seconds since 1970
VERSION = 1  # of the tables, in PRAGMA user_version; version 0 had attempts without ids
COLUMNS = {
    "attempts": dict(uid=str, at=float, exercise=str, outcome=str),
    "reviews": dict(uid=str, at=float, item=str, kind=str, lang=str, score=float, seconds=float),
    "sessions": dict(uid=str, at=float, kind=str, data=str),
}  # the one log whose entries grow: the newest wins
_SQL_TYPE = {str: "TEXT NOT NULL", float: "REAL NOT NULL"}
_pending, _told = {}, set()  # events not written yet, by file; warnings already given


class ProgressError(Exception):
    """A progress file or an export that cannot be used; the text says why and what was left
    untouched.
    """


def progress_file() -> Path:
    "Path of the progress file; `MMGEN_HOME` names another folder."
    from platformdirs import user_data_dir

    return Path(os.environ.get("MMGEN_HOME") or user_data_dir("mmgen")) / "progress.sqlite"


def _create(db):
    for table, columns in COLUMNS.items():
        form = ", ".join(f"{name} {_SQL_TYPE[kind]}" for name, kind in columns.items())
        form = form.replace("uid TEXT NOT NULL", "uid TEXT PRIMARY KEY NOT NULL").replace(
            "seconds REAL NOT NULL", "seconds REAL"
        )
        db.execute(f"CREATE TABLE {table} ({form})")
    db.execute(f"PRAGMA user_version = {VERSION}")


def insert(db, table, row):
    """Add one event; True if it is new. A session that is there already is replaced by a later
    state of it.
    """
    newer = (
        "UPDATE SET at = excluded.at, kind = excluded.kind, data = excluded.data WHERE "
        "(excluded.at, excluded.data) > (at, data)"
    )
    clash = newer if table == "sessions" else "NOTHING"
    marks = ", ".join("?" * len(row))
    return (
        db.execute(
            f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT (uid) DO {clash}", row
        ).rowcount
        > 0
    )


def spare(path, word):
    "A free name beside `path`."
    return path.with_name(
        f"{path.stem}.{word}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}{path.suffix}"
    )


def _old_events(db):
    """Events of a file of version 0; their ids follow from what they say, so that two copies of one
    file merge into one.
    """
    seen = {}
    for event in db.execute("SELECT at, exercise, outcome FROM attempts ORDER BY rowid").fetchall():
        seen[event] = seen.get(event, 0) + 1
        yield hashlib.sha256(repr((*event, seen[event])).encode()).hexdigest()[:32], *event


def _migrate(db, path):
    """Bring an open file to this version's tables in one transaction; a copy of an older one is
    kept.
    """

    def version():
        return db.execute("PRAGMA user_version").fetchone()[0]

    if version() == VERSION:
        return
    newer = (
        "{} was written by a newer mmgen (version {} of the file, this one knows {}): "
        "update mmgen; the file is left as it is"
    )
    if version() > VERSION:
        raise ProgressError(newer.format(path, version(), VERSION))
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "attempts" not in tables:
        raise ProgressError(
            f"{path} is a database of something else ({', '.join(sorted(tables))}); it is left "
            "as it is, set MMGEN_HOME"
        )
    if tables:
        with contextlib.closing(sqlite3.connect(spare(path, "version-0"))) as copy:
            db.backup(copy)
    db.execute("BEGIN IMMEDIATE")
    try:
        if version() < VERSION:  # no other process was faster
            old = list(_old_events(db)) if tables else []
            db.execute("DROP TABLE IF EXISTS attempts")
            _create(db)
            for row in old:
                insert(db, "attempts", row)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _connect(path):
    "Open and examine the file; sqlite3.DatabaseError if it is damaged."
    if path.is_dir():
        raise sqlite3.DatabaseError("it is a folder")
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        answer = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            raise sqlite3.DatabaseError(answer.splitlines()[-1])
        _migrate(db, path)
        return db
    except BaseException:
        db.close()
        raise


def _open(path):
    """Open the file; a damaged one is kept aside under another name, never overwritten, and a new
    one begun.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connect(path)
    except sqlite3.DatabaseError as e:
        if isinstance(e, sqlite3.OperationalError):
            raise  # locked, no permission, disk full: not damaged
        aside = spare(path, "damaged")
        os.replace(path, aside)
        with contextlib.suppress(OSError):
            os.replace(f"{path}-journal", f"{aside}-journal")
        print(f"The progress file was damaged ({e}) and is kept as {aside}; a new one is begun.")
        return _connect(path)


@contextlib.contextmanager
def database(write=True, strict=False):
    """The open progress file within one transaction; with `strict` a damaged file is an error,
    where otherwise it is put aside and a new one begun.
    """
    db = _connect(progress_file()) if strict else _open(progress_file())
    try:
        db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
    finally:
        db.close()


def _warn(what, error):
    "One line, once for each reason."
    text = f"(progress was not {what} {progress_file()}: {error})"
    if text not in _told:
        _told.add(text)
        print(text)


def add(table, *values, at=None, uid=None, after=None):
    """Note one event and return its id. A file that cannot be written costs one line of warning,
    never the session: the event waits in memory and is written with the next. `after` names a
    column: the event is dated after all that share its value there, whatever the clock says.
    """
    uid, at, waiting = (
        uid or uuid.uuid4().hex,
        time.time() if at is None else at,
        _pending.setdefault(progress_file(), []),
    )
    if after:
        place = list(COLUMNS[table]).index(after)
        value = ((uid, at) + values)[place]
        at = max([at] + [row[1] + 1e-6 for row in events(table) if row[place] == value])
    waiting.append((table, (uid, at, *values)))
    try:
        with database() as db:
            for event in waiting:
                insert(db, *event)
        waiting.clear()
    except (sqlite3.Error, OSError, ProgressError) as e:
        _warn("saved in", e)
    return uid


def fault(table, row) -> str:
    "What is wrong with one event, or ''; such an event is neither imported nor counted."
    event = dict(zip(COLUMNS[table], row))
    for name, kind in COLUMNS[table].items():
        value = event[name]
        if name == "seconds" and value is None:
            continue
        if type(value) is not kind or (kind is float and not math.isfinite(value)):
            return f"{name}={value!r:.40}"
        if kind is str and name != "data" and not 0 < len(value.encode()) <= 10_000:
            return f"{name} of {len(value)} characters"
    if not re.fullmatch(r"[\w.-]{1,80}", event["uid"], re.ASCII):
        return f"uid={event['uid']!r:.40}"
    if not 0 <= event["at"] <= LATEST:
        return f"at={event['at']!r}; expected seconds since 1970"
    if table == "reviews" and not 0 <= event["score"] <= 1:
        return f"score={event['score']!r}; expected a number from 0 to 1"
    if table == "reviews" and event["lang"] not in LANGUAGES:
        return f"lang={event['lang']!r:.40}"
    if table == "reviews" and not 0 <= (event["seconds"] or 0) <= 1e7:
        return f"seconds={event['seconds']!r}"
    return _session_fault(event["data"]) if table == "sessions" else ""


def _session_fault(data) -> str:
    "What is wrong with the text of a stored session, or ''."
    if len(data) > SESSION_BYTES:
        return f"a session of {len(data)} characters; expected at most {SESSION_BYTES}"
    try:
        return "" if isinstance(json.loads(data), dict) else "a session that is no JSON object"
    except (ValueError, RecursionError):
        return "a session that is no JSON object"


def unsaved() -> int:
    "How many events wait in memory because the progress file could not be written."
    return len(_pending.get(progress_file(), []))


def events(table, strict=False):
    """Rows of a log, oldest first; those that could not be written yet stand at their place. Rows
    that say nothing sensible are left out. A file that cannot be read costs a line of warning, or
    with `strict` raises ProgressError: for whoever would overwrite something with the answer.
    """
    waiting, rows = [row for t, row in _pending.get(progress_file(), []) if t == table], []
    if is_there(progress_file(), strict):
        try:
            with database(write=False, strict=strict) as db:
                rows = db.execute(f"SELECT * FROM {table}").fetchall()
        except (sqlite3.Error, OSError, ProgressError) as e:
            if strict:
                raise ProgressError(f"{progress_file()} cannot be read: {e}") from e
            _warn("read from", e)
    good = [row for row in rows if not fault(table, row)]
    if len(good) < len(rows):
        _warn("read whole from", f"{len(rows) - len(good)} {table} in it are left out")
    rows = good
    newest = {row[0]: row for row in sorted(rows + waiting, key=lambda row: row[1])}
    return sorted(newest.values(), key=lambda row: (row[1], row[0]))


def is_there(path, strict) -> bool:
    "Whether the progress file exists; a folder that may not be entered is told like a bad file."
    try:
        return path.exists()
    except OSError as e:
        if strict:
            raise ProgressError(f"{path} cannot be read: {e}") from e
        _warn("read from", e)
        return False


def record(exercise, outcome):
    "Note one attempt at an exercise."
    add("attempts", exercise, outcome, after="exercise")


def history(exercise=None):
    "Attempts as (time, exercise, outcome), oldest first, without those before a reset."
    found, since = [], {}
    for _, at, e, outcome in events("attempts"):
        if outcome == "reset":
            since[e] = at
        found.append((at, e, outcome))
    return [r for r in found if exercise in (None, r[1]) and r[0] > since.get(r[1], -1.0)]


def forget(exercise):
    "Begin an exercise anew: its attempts so far no longer count. They stay in the log."
    if history(exercise):
        record(exercise, "reset")


def save_session(id, data, kind="interview"):
    """Keep the state of a session (anything JSON holds) under its id; the last one counts. All
    sessions: `events('sessions')`.
    """
    return add(
        "sessions", kind, json.dumps(data, ensure_ascii=False, sort_keys=True), uid=id, after="uid"
    )
