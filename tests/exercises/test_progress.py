"""The progress file: nothing acknowledged is ever lost, damage is kept aside, exports merge in any
order.
"""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmgen.exercises import exchange, progress
from mmgen.exercises.exchange import export, keep, restore
from mmgen.exercises.progress import (
    ProgressError,
    events,
    forget,
    history,
    progress_file,
    record,
    save_session,
)

ROOT = Path(__file__).parents[2]
WRITER = (
    "from mmgen.exercises.progress import record\nfor i in range({n}): record('a.{name}', "
    "f'passed{{i}}'); print(i, flush=True)"
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MMGEN_HOME", str(tmp_path / "home é"))
    monkeypatch.setattr(progress, "_pending", {})
    monkeypatch.setattr(progress, "_told", set())
    return tmp_path / "home é"


def python(code, **kw):
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **kw,
    )


def names(word, home):
    return [f.name for f in home.iterdir() if word in f.name]


def outcomes():
    return [o for _, _, o in history()]


def logs():
    return {table: events(table) for table in progress.COLUMNS}


def version_0(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS attempts (at REAL NOT NULL, exercise TEXT NOT NULL, "
            "outcome TEXT NOT NULL)"
        )
        db.executemany("INSERT INTO attempts VALUES (?, ?, ?)", rows)
    db.close()


def test_an_older_file_is_migrated_and_kept(home):
    rows = [(1.0, "a.b", "wrong"), (1.0, "a.b", "wrong"), (2.0, "a.b", "passed")]
    version_0(progress_file(), rows)
    assert history() == rows
    (copy,) = names("version-0", home)
    with sqlite3.connect(home / copy) as db:
        assert db.execute("SELECT * FROM attempts").fetchall() == rows
    record("a.b", "hint")
    assert len(history()) == 4 and len(names("version-0", home)) == 1


def test_two_copies_of_an_older_file_merge_into_one(tmp_path, monkeypatch):
    rows = [(1.0, "a.b", "wrong"), (1.0, "a.b", "wrong"), (2.0, "a.b", "passed")]
    version_0(progress_file(), rows)
    export(tmp_path / "one")
    monkeypatch.setenv("MMGEN_HOME", str(tmp_path / "other"))
    version_0(progress_file(), rows)
    assert restore(tmp_path / "one") == 0 and history() == rows


def test_a_newer_file_is_refused_and_left_as_it_is(capsys):
    record("a.b", "passed")
    with sqlite3.connect(progress_file()) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    before = progress_file().read_bytes()
    record("a.b", "wrong")
    assert len(history()) == 1  # only what waits in memory
    assert (
        "written by a newer mmgen (version 7 of the file, this one knows 1): update mmgen"
        in capsys.readouterr().out
    )
    assert progress_file().read_bytes() == before


def test_a_database_of_something_else_is_left_as_it_is(home, capsys):
    home.mkdir()
    with sqlite3.connect(progress_file()) as db:
        db.execute("CREATE TABLE recipes (x)")
    db.close()
    before = progress_file().read_bytes()
    record("a.b", "wrong")
    assert "is a database of something else (recipes)" in capsys.readouterr().out
    assert progress_file().read_bytes() == before


@pytest.mark.parametrize("n", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_two_processes_write_at_once(n):
    writers = [python(WRITER.format(n=n, name=name)) for name in "xy"]
    outs = [w.communicate(timeout=240)[0].split() for w in writers]
    assert outs == [[str(i) for i in range(n)]] * 2  # no warning in between
    for name in "xy":
        assert [o for _, _, o in history(f"a.{name}")] == [f"passed{i}" for i in range(n)]


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_kill_in_mid_write_loses_nothing_acknowledged(kills, home):
    moment, acknowledged = random.Random(kills), 0
    for n in range(kills):
        writer = python(WRITER.format(n=10**6, name=f"k{n}"))
        writer.stdout.readline()
        time.sleep(moment.random() * 0.1)
        writer.kill()  # SIGKILL, or what Windows has in its place
        said = 1 + len([line for line in writer.stdout.read().split("\n")[:-1] if line])
        writer.wait()
        acknowledged += said
        assert [o for _, _, o in history(f"a.k{n}")][:said] == [f"passed{i}" for i in range(said)]
    assert acknowledged >= kills and names("damaged", home) == []


def test_a_full_disk_costs_one_line_and_what_was_noted_is_written_later(capsys):
    resource = pytest.importorskip(
        "resource", reason="needs a limit on the size of files, which Windows lacks"
    )
    record("a.b", "passed0")
    before = progress_file().stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, limits[1]))
    try:
        for i in range(1, 8):
            record("a." + "b" * 2000, f"passed{i}")
        assert len(outcomes()) == 8
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capsys.readouterr().out.count("\n") == 1
    assert progress._pending[progress_file()]
    record("a.b", "last")
    assert (
        not progress._pending[progress_file()]
        and len(outcomes()) == 9
        and capsys.readouterr().out == ""
    )
    with progress.database() as db:
        assert db.execute("SELECT count(*) FROM attempts").fetchone() == (9,)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    b = bytearray(path.read_bytes())
    b[4096:4106] = bytes(255 - x for x in b[4096:4106])
    path.write_bytes(b)


def header(path):
    b = path.read_bytes()
    path.write_bytes(b"\x00" * 16 + b[16:])


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def text(path):
    path.write_text("not a database at all" * 100)


def folder(path):
    path.unlink()
    path.mkdir()
    (path / "mine").write_text("x")


@pytest.mark.parametrize("damage", [cut, flipped, header, zeros, text, folder])
def test_a_damaged_file_is_kept_aside(damage, home, capsys):
    progress._pending[progress_file()] = [
        ("attempts", (f"u{i}", float(i), "a.b", "x" * 50)) for i in range(200)
    ]
    record("a.b", "passed")
    damage(progress_file())
    before = None if progress_file().is_dir() else progress_file().read_bytes()
    record("c.d", "passed")
    record("c.d", "wrong")
    out = capsys.readouterr().out
    (aside,) = names("damaged", home)
    assert out.count("\n") == 1 and aside in out and "was damaged" in out
    assert (
        (home / aside / "mine").read_text() == "x"
        if before is None
        else (home / aside).read_bytes() == before
    )
    assert outcomes() == ["passed", "wrong"]


def test_an_empty_file_is_a_new_one(home, capsys):
    home.mkdir()
    progress_file().touch()
    record("a.b", "passed")
    assert (
        outcomes() == ["passed"] and capsys.readouterr().out == "" and names("damaged", home) == []
    )


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="needs another user to take the permission from",
)
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_without_permission_the_session_goes_on(mode, home, tmp_path):
    record("a.b", "passed")
    before = progress_file().read_bytes()
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    home.chmod(0o555)
    progress_file().chmod(mode)
    out, _ = python(
        "import os\nfrom mmgen.exercises.progress import *\nprogress_file(); os.setuid(65534)\n"
        "record('a.b', 'wrong'); record('a.b', 'hint'); print(len(history()))"
    ).communicate()
    assert (
        out.splitlines()[-1] == ("2" if mode == 0 else "3")
        and "Traceback" not in out
        and "was not saved in" in out
    )
    assert progress_file().read_bytes() == before and names("damaged", home) == []


def test_a_reset_counts_even_if_the_clock_jumps_back(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 5000.0)
    record("a.b", "passed")
    record("c.d", "passed")
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    forget("a.b")
    assert outcomes() == ["passed"] and len(events("attempts")) == 3
    record("a.b", "wrong")
    assert [o for _, _, o in history("a.b")] == ["wrong"]


def devices(tmp_path, monkeypatch):
    """Two devices with something in common, something of their own and a session that both went on
    with.
    """
    base = tmp_path / "base"
    record("a.b", "wrong")
    save_session("s", {"n": 1})
    export(base)
    for name, n in (("one", 2), ("two", 3)):
        monkeypatch.setenv("MMGEN_HOME", str(tmp_path / name))
        restore(base)
        record("a.b", name)
        progress.add("reviews", f"q.{name}", "oral", "en", 0.5, None)
        save_session("s", {"n": n})
        export(tmp_path / f"{name}.jsonl")
    return tmp_path / "one.jsonl", tmp_path / "two.jsonl"


def test_merging_is_free_of_order_and_of_repetition(tmp_path, monkeypatch):
    one, two = devices(tmp_path, monkeypatch)
    sums = set()
    for i, order in enumerate([(one, two), (two, one), (two, one, two, one), (one, one, two)]):
        monkeypatch.setenv("MMGEN_HOME", str(tmp_path / f"m{i}"))
        for path in order:
            restore(path)
        sums.add(export(tmp_path / f"m{i}.jsonl"))
        assert restore(one) == restore(two) == restore(tmp_path / "m0.jsonl") == 0
    assert (
        len(sums) == 1
        and sorted(outcomes()) == ["one", "two", "wrong"]
        and len(events("reviews")) == 2
    )
    assert [json.loads(s[3]) for s in events("sessions")] == [
        {"n": 3}
    ]  # the later state of the session


def test_restore_instead_of_merge_keeps_what_was_there(tmp_path, home, monkeypatch):
    record("a.b", "passed")
    export(tmp_path / "e")
    record("a.b", "wrong")
    assert restore(tmp_path / "e", merge=False) == 1 and outcomes() == ["passed"]
    (kept,) = names("before-import", home)
    restore(home / kept)
    assert outcomes() == ["passed", "wrong"]


def changed(export, how):
    lines = export.read_text().splitlines(keepends=True)
    text = {
        "cut": "".join(lines)[:-20],
        "line lost": "".join(lines[:-1]),
        "score": "".join(lines).replace("passed", "passeD"),
        "empty": "",
        "binary": "",
        "html": "<html>",
        "list": "[]",
        "newer": "".join([lines[0].replace('"version": 1', '"version": 2'), *lines[1:]]),
    }[how]
    export.write_bytes(b"\x80\x81SQLite" if how == "binary" else text.encode())


@pytest.mark.parametrize(
    "how,words",
    [
        ("cut", "is damaged"),
        ("line lost", "is damaged: 1 lines for 2 events"),
        ("score", "is damaged"),
        ("empty", "is not an export"),
        ("binary", "is not text"),
        ("html", "is not an export"),
        ("list", "is not an export"),
        ("newer", "is from a newer mmgen (version 2, this one knows 1)"),
    ],
)
def test_a_damaged_or_foreign_export_changes_nothing(how, words, tmp_path):
    record("a.b", "passed")
    record("a.c", "passed")
    export(tmp_path / "e")
    before = logs()
    changed(tmp_path / "e", how)
    for merge in (True, False):
        with pytest.raises(ProgressError) as e:
            restore(tmp_path / "e", merge)
        assert words in str(e.value) and logs() == before


@pytest.mark.parametrize(
    "line",
    [
        '["attempts", "u", 1.0, "a.b"]',
        '["attempts", "u", 1.0, "a.b", "x", "y"]',
        '["others", "u"]',
        "3",
        "{}",
        "[]",
        '["attempts", "u", 1e999, "a.b", "x"]',
        '["attempts", "u", NaN, "a.b", "x"]',
        '["attempts", 1, 1.0, "a.b", "x"]',
        '["attempts", "u", true, "a.b", "x"]',
        '["attempts", "\\ud800", 1.0, "a.b", "x"]',
    ],
)
def test_a_well_summed_export_with_a_broken_event_changes_nothing(line, tmp_path):
    import hashlib

    record("a.b", "passed")
    before = logs()
    head = dict(
        mmgen="progress", version=1, events=1, sha256=hashlib.sha256(line.encode()).hexdigest()
    )
    (tmp_path / "e").write_text(json.dumps(head) + "\n" + line + "\n")
    with pytest.raises(ProgressError, match="line 2 is not an event"):
        restore(tmp_path / "e")
    assert logs() == before


def test_an_export_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    record("a.b", "passed")
    export(tmp_path / "e")
    before = (tmp_path / "e").read_bytes()
    record("a.b", "wrong")

    def fails(*a):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        export(tmp_path / "e")
    assert (tmp_path / "e").read_bytes() == before and [f.name for f in tmp_path.glob("e*")] == [
        "e"
    ]


def test_keep_takes_along_what_was_noted(tmp_path, monkeypatch, capsys):
    record("a.b", "passed")
    old = progress_file()
    with pytest.raises(FileNotFoundError, match="is the drive mounted"):
        keep(tmp_path / "drive" / "mmgen")
    (tmp_path / "drive").mkdir()
    keep(tmp_path / "drive" / "mmgen")
    keep(tmp_path / "drive" / "mmgen")
    record("a.b", "hint")
    assert (
        progress_file().parent == tmp_path / "drive" / "mmgen"
        and outcomes() == ["passed", "hint"]
        and old.exists()
    )
    assert "Progress is kept in" in capsys.readouterr().out


def test_an_export_is_not_overwritten_by_what_cannot_be_read(tmp_path):
    record("a.b", "passed")
    backup = tmp_path / "backup.jsonl"
    export(backup)
    before = backup.read_bytes()
    whole = progress_file().read_bytes()
    progress_file().unlink()
    progress_file().mkdir()  # what is there is no file that could be read
    for write in (lambda: export(backup), lambda: keep(tmp_path / "drive")):
        with pytest.raises(ProgressError, match="cannot be read"):
            write()
    assert backup.read_bytes() == before
    progress_file().rmdir()
    record("a.c", "passed")  # a new file, which lacks what the backup has
    with pytest.raises(ProgressError, match="holds 1 events that .* lacks; import it first"):
        export(backup)
    assert backup.read_bytes() == before and restore(backup) == 1
    export(backup)
    assert restore(backup) == 0
    progress_file().write_bytes(whole)
    assert outcomes() == ["passed"]


NOW = 1.7e9
BAD_EVENTS = [
    ("attempts", ("u1", 1e300, "a.b", "passed"), "at=1e"),
    ("attempts", ("u1", -5.0, "a.b", "passed"), "at=-5"),
    ("attempts", ("../u1", NOW, "a.b", "passed"), "uid="),
    ("attempts", ("u1", NOW, "a" * 20_000, "passed"), "exercise of 20000 characters"),
    ("reviews", ("u1", NOW, "a.b", "oral", "en", 99.0, 1.0), "score=99"),
    ("reviews", ("u1", NOW, "a.b", "oral", "xx", 1.0, 1.0), "lang='xx'"),
    ("reviews", ("u1", NOW, "a.b", "oral", "en", 1.0, 1e9), "seconds="),
    ("sessions", ("u1", NOW, "interview", "no json"), "no JSON object"),
    ("sessions", ("u1", NOW, "interview", "[]"), "no JSON object"),
    ("sessions", ("u1", NOW, "interview", "[" * 100_000), "no JSON object"),
    ("sessions", ("u1", NOW, "interview", '"' + "x" * 3_000_000 + '"'), "expected at most"),
]


@pytest.mark.parametrize("table,row,words", BAD_EVENTS)
def test_a_senseless_event_is_refused_by_import_and_left_out_of_a_file(table, row, words, tmp_path):
    assert words in progress.fault(table, row)
    record("a.b", "passed")
    lines, digest = exchange.canonical({t: [row] if t == table else [] for t in progress.COLUMNS})
    head = json.dumps({"mmgen": "progress", "version": 1, "events": 1, "sha256": digest})
    given = tmp_path / "given.jsonl"
    given.write_text("\n".join([head, *lines]) + "\n", encoding="utf8")
    with pytest.raises(ProgressError, match="line 2 is not an event"):
        restore(given)
    with progress.database() as db:  # as an older version would have let it in
        progress.insert(db, table, row)
    assert outcomes() == ["passed"] and not events(table) or table == "attempts"
    export(tmp_path / "again.jsonl")
    assert restore(tmp_path / "again.jsonl") == 0
