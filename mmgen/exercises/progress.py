"""What the learner has tried, in one SQLite file in the user's data folder (or in `MMGEN_HOME`)."""
import contextlib
import os
import sqlite3
import time
from pathlib import Path

SCHEMA = "CREATE TABLE IF NOT EXISTS attempts (at REAL NOT NULL, exercise TEXT NOT NULL, outcome TEXT NOT NULL)"


def progress_file() -> Path:
    "Path of the progress file; `MMGEN_HOME` names another folder."
    from platformdirs import user_data_dir
    return Path(os.environ.get("MMGEN_HOME") or user_data_dir("mmgen")) / "progress.sqlite"


def _connect(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=10)
    try: db.execute(SCHEMA); db.commit(); return db
    except BaseException: db.close(); raise


@contextlib.contextmanager
def database():
    "The open progress file; a damaged one is kept aside under another name, never overwritten."
    path = progress_file()
    try: db = _connect(path)
    except sqlite3.DatabaseError as e:
        if isinstance(e, sqlite3.OperationalError): raise
        aside = path.with_name(f"progress.damaged-{time.time_ns()}.sqlite")
        os.replace(path, aside); print(f"The progress file was damaged and is kept as {aside.name}; a new one is begun.")
        db = _connect(path)
    try:
        with db: yield db
    finally: db.close()


def record(exercise, outcome):
    "Note one event; a progress file that cannot be written costs a line of warning, never the check."
    try:
        with database() as db: db.execute("INSERT INTO attempts VALUES (?, ?, ?)", (time.time(), exercise, outcome))
    except (sqlite3.Error, OSError) as e: print(f"(progress was not saved in {progress_file()}: {e})")


def history(exercise=None):
    "Events as (time, exercise, outcome), oldest first."
    if not progress_file().exists(): return []
    try:
        with database() as db: rows = db.execute("SELECT at, exercise, outcome FROM attempts ORDER BY rowid").fetchall()
    except (sqlite3.Error, OSError) as e: print(f"(progress was not read from {progress_file()}: {e})"); return []
    return [r for r in rows if exercise in (None, r[1])]


def forget(exercise):
    "Remove the events of one exercise."
    with database() as db: db.execute("DELETE FROM attempts WHERE exercise = ?", (exercise,))
