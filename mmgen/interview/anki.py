"""The question bank and the course's formulas as an Anki deck: `mmgen anki` writes a file that Anki
imports.

A note's GUID follows from the question's id and its language only, and decks and note type have
fixed ids: importing a newer file changes the texts of cards that are there already and leaves
their schedule alone.
"""

import hashlib
import html
import os
import re
import tempfile
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from .prose import Markdown, figures, headings, mathjax, needs, opened, plain, slug
from . import bank, checkout
from .checkout import CourseError, topic_of
from .sheets import LEVELS, WORDS, answer, options

MODEL, FIELDS = (
    1_605_281_733,
    ("Id", "Front", "Back", "Picture"),
)  # never change the number: Anki would take it for another kind of note
DECKS = {"en": "mmgen::English", "zh": "mmgen::中文"}
DRAWS = 3  # notes of a numeric question, each with its own numbers
MEDIA_MB, PICTURE_MB = 25, 1
CSS = """.card { font: 18px/1.55 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
.card { max-width: 42em; margin: auto; padding: 0 .5em; }
h3 { font-size: 1em; margin: 1em 0 .2em; } img { max-width: 100%; height: auto; background: #fff; }
code, pre { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .85em; } pre { overflow-x: auto; white-space: pre-wrap; }
table { border-collapse: collapse; margin: auto; } th, td { border-bottom: 1px solid #8886; padding: .2em .6em; text-align: left; }
.small, .level { color: #777; font-size: .75em; } .nightMode .small, .nightMode .level { color: #aaa; }"""


@dataclass(frozen=True)
class Note:
    """One note before it is Anki's: what its GUID is made of, its deck, its texts, its tags and its
    picture, if any.
    """

    key: tuple
    deck: str
    fields: tuple
    tags: tuple
    picture: object = None


def number(text) -> int:
    "A whole number below 2^31 that depends on `text` only."
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def deck_name(stem, lang) -> str:
    "Name of the deck of one notebook, for instance mmgen::English::05 vqvae."
    return f"{DECKS[lang]}::{stem.replace('_', ' ', 1)}"


def item_note(item, stem, lang, md, draw=0, picture=None) -> Note:
    "The note of a question; what is folded on the site is on its back."
    W = WORDS[lang]
    level = LEVELS.get(lang, {}).get(item.level, item.level)
    head = f'<p class="level">{html.escape(item.id)} · {html.escape(level)} · {W[item.kind]}</p>'
    shown = (
        f'<p><img src="mmgen-{picture.name}" alt="{html.escape(picture.alt)}"></p>'
        if picture
        else ""
    )
    name = f"{item.id} {lang}" + (f" {draw + 1}" if item.kind == "numeric" else "")
    fields = (name, head + md(item.text) + options(md, item), answer(md, item, W, link=None), shown)
    return Note(
        (item.id, lang, draw) if draw else (item.id, lang),
        deck_name(stem, lang),
        fields,
        ("mmgen", f"topic::{item.topic}", f"level::{item.level}", f"kind::{item.kind}"),
        picture,
    )


def bank_notes(topic, lang, md, notebooks) -> list:
    """Notes of the questions of one topic, or of all; a numeric question gives several, each with
    other numbers.
    """
    from .bank import TOPICS, BankError
    from .items import all_items

    try:
        drawn = [
            all_items(topic, lang=lang, kinds=("oral", "choice", "numeric"), seed=k)
            for k in range(DRAWS)
        ]
    except BankError as e:
        raise CourseError(str(e)) from e
    notes, pictures = [], {}
    for stem, nb in notebooks.items():
        for figure in figures(nb, stem).values():
            pictures.setdefault(f"{stem}#{slug(figure.heading)}", figure)
    for items in zip(*drawn):
        stem, texts = (
            f"{TOPICS.index(items[0].topic):02d}_{items[0].topic}",
            set(),
        )  # the same without a checkout
        notebook, heading = items[0].shown_in.split("#", 1)
        for k, item in enumerate(items):
            if (k and item.kind != "numeric") or item.text in texts:
                continue
            texts.add(item.text)
            notes.append(
                item_note(item, stem, lang, md, k, pictures.get(f"{notebook}#{slug(heading)}"))
            )
    return notes


def formulas(nb) -> list:
    """The displayed formulas of a notebook as (heading, number under it, what stands before, the
    formula, what stands after).
    """
    found, heading, counts = [], "", {}
    for cell in nb["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        pieces = re.split(
            r"(^#{1,4}[^\S\n]+[^\n]+$|\$\$.+?\$\$)", checkout.source(cell), flags=re.M | re.S
        )
        for k, piece in enumerate(pieces):
            if piece.startswith("#"):
                heading = headings(piece)[0][1]
            if not piece.startswith("$$"):
                continue
            counts[heading] = counts.get(heading, 0) + 1
            before = pieces[k - 1].strip() or (
                pieces[k - 3].strip() if k > 2 and pieces[k - 2].startswith("$$") else ""
            )
            table = re.search(r"(^\|.*\n?)+", "".join(pieces[k + 1 :]), re.M)
            found.append(
                (
                    heading,
                    counts[heading],
                    before.split("\n\n")[-1],
                    piece,
                    table[0] if table else "",
                )
            )
    return found


def formula_notes(stem, nb, md) -> list:
    """A note for each displayed formula: the sentence before it asks, the formula and its symbols
    answer.
    """
    notes, title = [], checkout.title(nb)[0]
    for heading, n, before, formula, symbols in formulas(nb):
        if len(plain(before)) < 20:
            continue  # nothing there that asks
        key = f"formula.{stem}.{slug(heading)}.{n}"
        front = (
            f'<p class="level">{html.escape(title)} · {html.escape(plain(heading))}</p>{md(before)}'
        )
        front += "<p><strong>Write the formula.</strong></p>"
        back = (
            md(f"{formula}\n\n{symbols}")
            + f'<p class="small">Shown in {stem}: {html.escape(plain(heading))}</p>'
        )
        notes.append(
            Note(
                (key, "en"),
                deck_name(stem, "en"),
                (key, front, back, ""),
                ("mmgen", f"topic::{topic_of(stem)}", "kind::formula"),
            )
        )
    return notes


def collect(root=None, topic=None, lang="both") -> list:
    "All notes of the deck; without a checkout there are neither pictures nor formulas."
    md = Markdown(math=mathjax)
    notebooks = {p.stem: opened(p) for p in checkout.notebooks(root)} if root else {}
    notes = []
    for language in ("en", "zh") if lang == "both" else (lang,):
        notes += bank_notes(topic, language, md, notebooks)
        if language != "en":
            continue
        for stem, nb in notebooks.items():
            if topic in (None, topic_of(stem)):
                notes += formula_notes(stem, nb, md)
    return sorted(notes, key=lambda n: n.deck)


def media(notes, folder, limit_mb=MEDIA_MB) -> tuple:
    """Write the notes' pictures into `folder`, each once, up to the limit; the files, and the
    notes, without pictures that do not fit.
    """
    files, kept, room = {}, [], limit_mb * 1e6
    for note in notes:
        figure = note.picture
        name = f"mmgen-{figure.name}" if figure else ""
        if figure and name not in files and len(figure.png) <= min(room, PICTURE_MB * 1e6):
            files[name] = Path(folder) / name
            files[name].write_bytes(figure.png)
            room -= len(figure.png)
        kept.append(
            note if not name or name in files else replace(note, fields=(*note.fields[:3], ""))
        )
    return list(files.values()), kept


def write(notes, out, limit_mb=MEDIA_MB):
    """Write the deck through a temporary file, so that an earlier one is whole until the new one
    is; the number of pictures in it.
    """
    import genanki

    card = dict(
        name="Card", qfmt="{{Front}}", afmt='{{FrontSide}}<hr id="answer">{{Back}}{{Picture}}'
    )
    model = genanki.Model(
        MODEL, "mmgen", fields=[dict(name=f) for f in FIELDS], templates=[card], css=CSS
    )
    decks = {}
    with tempfile.TemporaryDirectory(prefix=".mmgen-anki-", dir=out.parent) as folder:
        files, notes = media(notes, folder, limit_mb)
        for note in notes:
            deck = decks.setdefault(note.deck, genanki.Deck(number(note.deck), note.deck))
            deck.add_note(
                genanki.Note(
                    model=model,
                    fields=list(note.fields),
                    guid=genanki.guid_for(*note.key),
                    tags=list(note.tags),
                )
            )
        part = Path(folder) / "deck.apkg"
        genanki.Package(list(decks.values()), [str(f) for f in files]).write_to_file(part)
        os.replace(part, out)
    return len(files)


def check_out(out):
    "Raise CourseError unless `out` can be written and is no file of another kind."
    if out.suffix != ".apkg":
        raise CourseError(f"--out is {out.name!r}; Anki imports files whose name ends in .apkg")
    if not out.parent.is_dir():
        raise CourseError(f"--out: there is no folder {out.parent}")
    if not out.exists():
        return
    if not zipfile.is_zipfile(out) or "collection.anki2" not in zipfile.ZipFile(out).namelist():
        raise CourseError(
            f"{out} is there and is no Anki deck of this command; name another file with --out"
        )


def main(out="mmgen.apkg", topic=None, lang="both"):
    "The command `mmgen anki`."
    needs("interview", "genanki")
    needs("site", "markdown_it", "mdit_py_plugins", "pygments")
    start, out = time.time(), Path(out).absolute()
    if lang not in (*DECKS, "both"):
        raise CourseError(
            f"no language is called {lang!r}; {checkout.nearest(lang, (*DECKS, 'both'))}"
        )
    if topic not in (None, *bank.TOPICS):
        raise CourseError(f"no topic is called {topic!r}; {checkout.nearest(topic, bank.TOPICS)}")
    check_out(out)
    try:
        root = checkout.find_root()
    except CourseError:
        root = None
        print("outside a clone of the course: no pictures and no formula cards")
    notes = collect(root, topic, lang)
    pictures = write(notes, out)
    size, seconds = out.stat().st_size / 1e6, time.time() - start
    print(
        f"{len(notes)} notes, {pictures} pictures, {size:.1f} MB, {seconds:.0f} s: import "
        f"{out.name} into Anki"
    )
