"""The Anki deck, read back from the file: every note, picture and deck is there, and a newer deck
keeps the ids of the older.
"""

import copy
import json
import sqlite3
import warnings
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mmgen import cli
from mmgen.interview import anki, items
from mmgen.interview.bank import TOPICS, load_questions
from mmgen.interview.prose import Markdown, figures, mathjax
from workshop import repo

genanki = pytest.importorskip("genanki", reason="the extra `interview` is not installed")

ROOT = Path(__file__).parents[2]
VOID = {"img", "br", "hr"}
NUMERIC = dict(
    id="vqvae.n",
    kind="numeric",
    covers=[],
    level="junior",
    question=dict(en="{K} codes, {h} by {h}?", zh="{K} 个码，{h} × {h}？"),
    answer=dict(en=r"$h^2\log_2 K$ is {value} bits.", zh="{value} 比特。"),
    draw=dict(K=[256, 512, 1024], h=[7, 8, 16]),
    value="h * h * log2(K)",
    unit=dict(en="bits", zh="比特"),
    tolerance=0,
    shown_in="05_vqvae#The model",
    sources=["a"],
)
CHOICE = dict(
    id="vqvae.c",
    kind="choice",
    covers=[],
    level="staff",
    question=dict(en="Is 1 < 2 & 3?", zh="哪个？"),
    answer=dict(en="Because.", zh="因为。"),
    right=dict(en="this", zh="这个"),
    wrong=[dict(en=f"w{k}", zh=f"错{k}", why=dict(en=f"not {k}", zh=f"不是{k}")) for k in range(3)],
    shown_in="05_vqvae#No such heading",
    sources=["a"],
)


class Balanced(HTMLParser):
    "Fails at the first tag that is not closed in order; collects the pictures and the tags."

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.images = [], set(), []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attributes)["src"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"


def read(path, folder):
    "Notes as {guid: (fields, tags)}, cards as {note's guid: deck's name}, media as {name: bytes}."
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        z.extract("collection.anki2", folder)
        media = {name: z.read(number) for number, name in json.loads(z.read("media")).items()}
    db = sqlite3.connect(folder / "collection.anki2")
    decks = {
        int(k): v["name"]
        for k, v in json.loads(db.execute("SELECT decks FROM col").fetchone()[0]).items()
    }
    models = list(json.loads(db.execute("SELECT models FROM col").fetchone()[0]))
    guids = dict(db.execute("SELECT id, guid FROM notes"))
    notes = {
        g: (f.split("\x1f"), t.split())
        for g, f, t in db.execute("SELECT guid, flds, tags FROM notes")
    }
    cards = {guids[n]: decks[d] for n, d in db.execute("SELECT nid, did FROM cards")}
    assert len(guids) == len(notes) and models == [str(anki.MODEL)]
    db.close()
    return notes, cards, media


@pytest.fixture(scope="module")
def bank():
    """Three entries: one spoken from the bank, shown in a section with a picture; one to choose,
    one to calculate.
    """
    drawn = {
        f"05_vqvae#{f.heading}"
        for f in figures(repo.read(ROOT / "nbs/05_vqvae.ipynb"), "05_vqvae").values()
    }
    oral = next(
        q for q in load_questions("vqvae") if q["kind"] == "oral" and q["shown_in"] in drawn
    )
    return [oral, CHOICE, NUMERIC]


@pytest.fixture
def make(bank, monkeypatch, tmp_path):
    "A function that writes the deck of these entries and reads it back."

    def run(entries=bank, lang="both", root=ROOT, **limits):
        def all_items(topic=None, level=None, lang="en", kinds=None, seed=0):
            return [items.make_item(q, lang, seed) for q in entries]

        monkeypatch.setattr(items, "all_items", all_items)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*HTML.*")
            anki.write(anki.collect(root, "vqvae", lang), tmp_path / "deck.apkg", **limits)
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
        return read(tmp_path / "deck.apkg", tmp_path)

    return run


def by_name(notes):
    return {fields[0]: (fields, tags) for fields, tags in notes.values()}


def test_every_note_is_whole_and_in_its_deck(make, bank):
    notes, cards, media = make()
    named = by_name(notes)
    assert len(cards) == len(notes) and set(cards.values()) == {
        "mmgen::English::05 vqvae",
        "mmgen::中文::05 vqvae",
    }
    oral = bank[0]
    for lang in ("en", "zh"):
        fields, tags = named[f"{oral['id']} {lang}"]
        assert {f"level::{oral['level']}", "topic::vqvae", "kind::oral"} <= set(tags)
        shown = "".join(fields[2:]).replace(" ", "")
        for point in oral["rubric"][lang]:
            assert Markdown().inline(point).replace(" ", "") in shown
        assert "05_vqvae:" in shown and oral["sources"][0][:9].replace(" ", "") in shown
    for fields, _ in notes.values():
        assert len(fields) == 4 and all(fields[:3])
        tags = {t for f in fields[1:] for t in Balanced(f).tags}
        assert not tags & {"script", "style", "iframe", "math", "a"}
        assert "{{" not in "".join(fields)


def test_pictures_are_packed_once_and_all_are_used(make):
    notes, _, media = make()
    used = {src for fields, _ in notes.values() for f in fields for src in Balanced(f).images}
    assert used == set(media) and media and all(png[1:4] == b"PNG" for png in media.values())
    assert all(name.startswith("mmgen-05_vqvae-") for name in media)


def test_pictures_that_do_not_fit_are_left_out_whole(make):
    notes, _, media = make(limit_mb=0.0)
    assert media == {} and not any(
        Balanced(f).images for fields, _ in notes.values() for f in fields
    )


def test_options_are_shuffled_once_and_for_all(make):
    fields = by_name(make()[0])["vqvae.c en"][0]
    assert fields == by_name(make()[0])["vqvae.c en"][0]
    item = items.make_item(CHOICE)
    assert [fields[1].index(f"<li>{o}</li>") for o in item.options] == sorted(
        fields[1].index(f"<li>{o}</li>") for o in item.options
    )
    assert f"Right: {'ABCD'[item.right]}" in fields[2] and all(
        f"not {k}" in fields[2] and f"not {k}" not in fields[1] for k in range(3)
    )
    assert "1 &lt; 2 &amp; 3" in fields[1]


def test_numbers_are_drawn_anew_in_each_note(make):
    from math import log2

    named = {n: f for n, (f, _) in by_name(make(lang="en")[0]).items() if n.startswith("vqvae.n ")}
    assert 2 <= len(named) <= anki.DRAWS and len({f[1] for f in named.values()}) == len(named)
    for fields in named.values():
        codes, side = (
            int(w)
            for w in fields[1].split("<p>")[-1].replace(" codes, ", " ").split(" by ")[0].split()
        )
        assert (
            f"<strong>{side * side * log2(codes):.6g} bits</strong>" in fields[2]
            and r"\(h^2\log_2 K\)" in fields[2]
        )


def test_a_newer_deck_keeps_every_guid_and_changes_one_note(make, bank):
    before, cards, _ = make()
    newer = copy.deepcopy(bank)
    newer[0]["answer"]["en"] += " One sentence more."
    after, cards2, _ = make(newer)
    assert set(before) == set(after) and cards == cards2
    changed = [g for g in before if before[g] != after[g]]
    assert [after[g][0][0] for g in changed] == [f"{bank[0]['id']} en"]
    assert "One sentence more." in after[changed[0]][0][2]


def test_a_guid_depends_on_id_and_language_only(make, bank):
    both, only = make()[0], make(lang="zh")[0]
    assert set(only) < set(both)
    reversed_ = make(bank[::-1])[0]
    assert reversed_ == both
    assert (
        genanki.guid_for(bank[0]["id"], "zh") in only
        and genanki.guid_for(bank[0]["id"], "en") in both
    )


def test_formulas_ask_and_answer(make):
    notes = {
        n: f for n, (f, tags) in by_name(make(lang="en")[0]).items() if "kind::formula" in tags
    }
    source = "".join(
        repo.source(c)
        for c in repo.read(ROOT / "nbs/05_vqvae.ipynb")["cells"]
        if c["cell_type"] == "markdown"
    )
    assert 1 <= len(notes) <= source.count("$$") // 2
    for fields in notes.values():
        assert r"\[" in fields[2] and r"\[" not in fields[1] and "Write the formula" in fields[1]


def test_formulas_of_a_cell_are_told_apart():
    parts = [
        "## Head\nThe first of them is this:",
        "$$a<b$$",
        "| s | v |\n|---|---|\n| $a$ | `a` |",
        "And now a second one:",
        "$$c$$",
    ]
    nb = dict(
        cells=[dict(cell_type="markdown", source=s) for s in ("# T\n> p", "\n\n".join(parts))]
    )
    first, second = anki.formula_notes("01_x", nb, Markdown(math=mathjax))
    assert (first.key, second.key) == (("formula.01_x.Head.1", "en"), ("formula.01_x.Head.2", "en"))
    assert (
        "The first" in first.fields[1]
        and r"\[a&lt;b\]" in first.fields[2]
        and "<table>" in first.fields[2]
    )
    assert "a second one" in second.fields[1] and "The first" not in second.fields[1]


def test_without_a_checkout_the_questions_remain(make):
    notes, cards, media = make(root=None)
    assert (
        media == {}
        and not any("kind::formula" in tags for _, tags in notes.values())
        and len(notes) >= 6
    )
    whole, decks, _ = make()
    assert set(notes) < set(whole) and all(decks[guid] == deck for guid, deck in cards.items())


@pytest.mark.parametrize(
    "args,words",
    [
        (["--out", "deck.zip"], "names end in .apkg"),
        (["--out", "no_such_folder/deck.apkg"], "there is no folder"),
        (["--out", "mine.apkg"], "is no Anki deck of this command"),
        (["--topic", "vqva"], "did you mean 'vqvae'?"),
        (["--lang", "fr"], "no language is called 'fr'"),
    ],
)
def test_mistakes_are_told_and_nothing_is_overwritten(tmp_path, monkeypatch, capsys, args, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.apkg").write_text("ten years of cards")
    assert cli.main(["anki", *args]) == 2
    assert words.replace("names end", "whose name ends") in capsys.readouterr().err
    assert (tmp_path / "mine.apkg").read_text() == "ten years of cards" and len(
        list(tmp_path.iterdir())
    ) == 1


def test_the_command_writes_the_whole_bank(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert cli.main(["anki", "--out", str(tmp_path / "all.apkg")]) == 0
    notes, cards, media = read(tmp_path / "all.apkg", tmp_path)
    questions = [q for t in TOPICS for q in load_questions(t)]
    expected = {genanki.guid_for(q["id"], lang) for q in questions for lang in ("en", "zh")}
    assert expected <= set(notes) and f"{len(notes)} notes" in capsys.readouterr().out
    assert (tmp_path / "all.apkg").stat().st_size < 30e6
    for fields, _ in notes.values():
        for f in fields:
            Balanced(f)
