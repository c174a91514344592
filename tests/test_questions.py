"""The question bank: every entry has the form, and points to a heading that exists; broken entries are named."""
import copy
import json
from pathlib import Path

import pytest

from mmgen.interview import BankError, as_markdown, check_questions, load_questions

ROOT = Path(__file__).parents[1]
TOPICS = sorted(p.stem for p in (ROOT / "data" / "questions").glob("*.yaml"))
GOOD = dict(id="a.b", covers=["S0-Q2"], level="junior", question=dict(en="Why?", zh="为什么？"), answer=dict(en="So.", zh="因此。"),
            rubric=["a"], weak="w", refuted="r", follow_ups=["x", "y"], shown_in="04_quantizer#Six numbers",
            sources=["van den Oord et al. 2017"])


def headings(notebook):
    cells = json.loads((ROOT / "nbs" / f"{notebook}.ipynb").read_text(encoding="utf8"))["cells"]
    lines = [line for c in cells if c["cell_type"] == "markdown" for line in "".join(c["source"]).splitlines()]
    return {line.lstrip("# ").strip() for line in lines if line.startswith("#")}


@pytest.mark.parametrize("topic", TOPICS)
def test_bank_is_whole(topic):
    for q in load_questions(topic):
        notebook, heading = q["shown_in"].split("#", 1)
        assert heading in headings(notebook), f"{q['id']}: {notebook} has no heading {heading!r}"
        assert as_markdown(q, "en") and as_markdown(q, "zh")


def test_ids_stand_once():
    ids = [q["id"] for t in TOPICS for q in load_questions(t)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("change,words", [
    (lambda q: q.pop("answer"), "a.b: answer: is missing"),
    (lambda q: q.update(level="easy"), "a.b: level: is 'easy'; expected one of screening"),
    (lambda q: q["question"].pop("zh"), "a.b: question: has no text in 'zh'"),
    (lambda q: q.update(rubric="one"), "a.b: rubric: is a str; expected a list"),
    (lambda q: q.update(follow_ups=["x"]), "a.b: follow_ups: expected two"),
    (lambda q: q.update(shown_in="04_quantizer"), "a.b: shown_in: expected NOTEBOOK#Heading"),
    (lambda q: q.update(anwser="x"), "a.b: anwser: is not a field"),
    (lambda q: q.update(weak=""), "a.b: weak: is empty")])
def test_broken_entry_is_named(change, words):
    q = copy.deepcopy(GOOD); check_questions([copy.deepcopy(GOOD)], "x.yaml"); change(q)
    with pytest.raises(BankError) as e: check_questions([q], "x.yaml")
    assert words in str(e.value) and "x.yaml" in str(e.value)


def test_an_id_twice_is_named():
    with pytest.raises(BankError, match="a.b: id: stands twice"): check_questions([GOOD, copy.deepcopy(GOOD)], "x.yaml")
