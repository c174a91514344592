"""What the course answers for: every claim of `data/coverage.yaml` is covered, and every system
named there is shown with its figure.
"""

import functools
import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from mmgen.exercises import all_exercises
from workshop.page_gates import output_text
from workshop.repo import source

ROOT = Path(__file__).parents[2]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is there
COVERAGE = yaml.safe_load((ROOT / "data" / "coverage.yaml").read_text(encoding="utf8"))
CLAIMS, MEASURED, SNIPPETS, SYSTEMS = (
    COVERAGE[k] for k in ("claims", "measured", "snippets", "systems")
)
ID = re.compile(
    r"\b(?:S\d-[A-Z]+(?:-?\d+)?(?:-\d+)?(?:\.\d+)?|[MW]\d+)\b"
)  # anything of that form, so that a typing error is seen
DEFECT = re.compile(r"S\d-B\d+\.\d+")


# What covers what: three collectors, each from claim to the names of its places


def in_questions(folder=ROOT / "data" / "questions") -> dict:
    "Claims that questions name in `covers`."
    found = defaultdict(list)
    for file in sorted(folder.glob("*.yaml")):
        for q in yaml.load(file.read_text(encoding="utf8"), LOADER):
            for id in q["covers"]:
                found[id].append(f"question {q['id']}")
    return found


def in_exercises(kinds=("write", "bug", "answer"), exercises=None) -> dict:
    "Claims that exercises of these kinds name in `covers`."
    found = defaultdict(list)
    for name, ex in (all_exercises() if exercises is None else exercises).items():
        for id in ex.covers if ex.kind in kinds else ():
            found[id].append(f"exercise {name}")
    return found


def in_cells(folder=ROOT / "nbs") -> dict:
    "Claims that a code cell names in its metadata, `covers`."
    found = defaultdict(list)
    for file in sorted(folder.glob("*.ipynb")):
        for i, cell in enumerate(json.loads(file.read_text(encoding="utf8"))["cells"], 1):
            for id in cell["metadata"].get("covers", []) if cell["cell_type"] == "code" else []:
                found[id].append(f"{file.stem}, cell {i}")
    return found


def uncovered(claims, *places) -> list:
    "Claims that none of the places names."
    return [f"{id} ({about})" for id, about in claims.items() if not any(id in p for p in places)]


def unknown(known, *places) -> list:
    "What is named in `covers` and stands in no list, with where."
    return [f"{id} in {where[0]}" for p in places for id, where in p.items() if id not in known]


@pytest.fixture(scope="module")
def places():
    return in_questions(), in_exercises(), in_cells()


def test_every_claim_is_covered(places):
    assert not (left := uncovered(CLAIMS, *places)), f"{len(left)} not covered: {'; '.join(left)}"


def test_nothing_unknown_is_named(places):
    assert not (odd := unknown({**CLAIMS, **MEASURED}, *places)), "; ".join(odd)


def test_every_broken_snippet_is_repaired_or_run(places):
    defects = {id: about for id, about in CLAIMS.items() if DEFECT.fullmatch(id)}
    assert len(defects) == 112
    assert not (left := uncovered(defects, in_exercises(["bug"]), places[2], SNIPPETS)), "; ".join(
        left
    )


@pytest.mark.parametrize("id", SNIPPETS)
def test_snippet_is_a_proved_wrong_answer(id):
    name, answer = SNIPPETS[id].rsplit(".", 1)
    ex = all_exercises()[name]
    assert id in CLAIMS and id in ex.covers and answer in ex.variants()[1], (
        f"{name} has the wrong answers {', '.join(ex.variants()[1])}"
    )


def test_the_list_is_whole():
    assert len(CLAIMS) == 323 and all(ID.fullmatch(id) for id in [*CLAIMS, *MEASURED])
    wordy = {
        id: about
        for id, about in {**CLAIMS, **MEASURED}.items()
        if not 4 <= len(about.split()) <= 12
    }
    assert not wordy and len(set(CLAIMS.values())) == len(CLAIMS)


# What a system's entry says is held against the notebook's stored output


@functools.cache
def notebook(name) -> dict:
    "The stored notebook of this name."
    return json.loads((ROOT / "nbs" / f"{name}.ipynb").read_text(encoding="utf8"))


def section(notebook, heading) -> str | None:
    """Text that the cells under a heading print, up to the next heading; None if there is no such
    heading.
    """
    text, inside = None, False
    for cell in notebook["cells"]:
        heads = (
            re.findall(r"^#+ (.+)$", source(cell), re.M) if cell["cell_type"] == "markdown" else []
        )
        if heads:
            inside = heads[-1].strip() == heading
        if inside:
            text = (text or "") + "".join(
                output_text(o).rstrip("\n") + "\n" for o in cell.get("outputs", [])
            )
    return text


def shown(entry) -> str:
    "What the entry points to: output under a notebook's heading, or the text of a file."
    place, _, heading = entry["shown_in"].partition("#")
    if not heading:
        return (ROOT / place).read_text(encoding="utf8")
    text = section(notebook(place), heading)
    assert text is not None, f"{place} has no heading {heading!r}"
    return text


def pattern(shows) -> str:
    "The regular expression of an entry: {name} is a number, ` ... ` any text."
    return re.sub(
        r"\{([a-z]\w*)\}",
        r"(?P<\1>[-+]?\\d[\\d,]*(?:\\.\\d+)?(?:e[-+]?\\d+)?)",
        shows.replace(" ... ", r"[\s\S]*?"),
    )


def judge(entry, text):
    "Raise AssertionError unless `shows` is found in the text and `holds` is true of its numbers."
    match = re.search(pattern(entry["shows"]), text)
    assert match, (
        f"{entry['name']}: {entry['shown_in']} does not print {entry['shows']!r}; it "
        f"prints:\n{text[:3000]}"
    )
    if "holds" in entry:
        found = {name: float(value.replace(",", "")) for name, value in match.groupdict().items()}
        assert found and eval(entry["holds"], {"__builtins__": {}, "abs": abs}, found), (
            f"{entry['name']}: not {entry['holds']} for {found}"
        )


@pytest.mark.parametrize("entry", SYSTEMS, ids=lambda e: f"{e['name']}: {e['shown_in']}")
def test_system_is_shown(entry):
    assert (
        set(entry) - {"holds"} == {"name", "shown_in", "says", "shows"} and len(entry["shows"]) > 9
    )
    judge(entry, shown(entry))


# Each of the tests above can fail


@pytest.mark.parametrize("id", ["S0-Q1", "S4-B5.6", "S2-F46"])
def test_a_claim_without_its_cover_is_named(places, id):
    less = [{name: where for name, where in p.items() if name != id} for p in places]
    assert uncovered(CLAIMS, *less) == [f"{id} ({CLAIMS[id]})"]


def test_a_snippet_without_its_bug_is_named(places):
    defects = {"S4-B5.5": CLAIMS["S4-B5.5"]}
    assert not uncovered(defects, in_exercises(["bug"])) and uncovered(
        defects, in_exercises(["write"]), SNIPPETS
    )


def test_each_of_three_places_is_read(tmp_path):
    (tmp_path / "x.yaml").write_text("- {id: x.q, covers: [S0-Q1]}\n")
    cell = {
        "cell_type": "code",
        "source": ["x = 1\n"],
        "metadata": {"covers": ["S0-Q2", "M07", "S3-II-1"]},
    }
    (tmp_path / "x.ipynb").write_text(
        json.dumps(
            {
                "cells": [
                    cell,
                    {"cell_type": "markdown", "source": "", "metadata": {"covers": ["S0-Q9"]}},
                ]
            }
        )
    )
    ex = type("Ex", (), {"covers": ("S0-B1.2",), "kind": "bug"})
    assert in_questions(tmp_path) == {"S0-Q1": ["question x.q"]}
    assert in_cells(tmp_path) == {id: ["x, cell 1"] for id in ("S0-Q2", "M07", "S3-II-1")}
    assert in_exercises(["bug"], {"x.e": ex}) == {"S0-B1.2": ["exercise x.e"]} and not in_exercises(
        ["write"], {"x.e": ex}
    )


@pytest.mark.parametrize("typo", ["S0-Q11", "S4-X4.1", "S3-VI-1", "M64", "W9", "S2-B4.11", "S9-F1"])
def test_a_typing_error_is_named(typo):
    assert unknown({**CLAIMS, **MEASURED}, {typo: ["question x.q"], "S0-Q1": ["question x.q"]}) == [
        f"{typo} in question x.q"
    ]
    assert ID.findall(f"# covers: {typo}, S0-Q1") == [typo, "S0-Q1"]


def test_a_system_that_is_not_shown_is_named():
    def head(text):
        return {"cell_type": "markdown", "source": text}

    def printed(text):
        return {
            "cell_type": "code",
            "source": "",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": text}],
        }

    nb = {
        "cells": [
            head("# One"),
            head("## Two\nwords"),
            printed("dB 3.5\n"),
            head("words"),
            printed("end"),
            head("### Three"),
            printed("dB 9"),
        ]
    }
    assert section(nb, "Two") == "dB 3.5\nend\n" and section(nb, "Four") is None
    entry = dict(name="x", shown_in="a#Two", shows="dB {a}", holds="a > 3")
    judge(entry, "dB 3.5\n")
    with pytest.raises(AssertionError, match="not a > 3 for"):
        judge(entry, "dB 2.5\n")
    with pytest.raises(AssertionError, match="does not print"):
        judge(entry, "PSNR 3.5\n")
    with pytest.raises(AssertionError, match="has no heading 'Nowhere'"):
        shown(dict(shown_in="04_quantizer#Nowhere"))
