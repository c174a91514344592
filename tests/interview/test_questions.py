"""The question bank: every entry has the form and points to a heading that exists; a broken entry
is named, word for word.
"""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from mmgen.interview import (
    BankError,
    as_markdown,
    bank,
    check_questions,
    load_questions,
    questions,
    schema,
)
from mmgen.interview.arithmetic import FormulaError, evaluate, names
from mmgen.interview.items import make_item

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "data" / "questions").glob("*.yaml"))
FIXTURES = ROOT / "tests" / "fixtures" / "bank"
BROKEN = sorted(f for f in FIXTURES.glob("*.yaml") if f.stem != "good")


def headings(notebook):
    cells = json.loads((ROOT / "nbs" / f"{notebook}.ipynb").read_text(encoding="utf8"))["cells"]
    lines = [
        line
        for c in cells
        if c["cell_type"] == "markdown"
        for line in "".join(c["source"]).splitlines()
    ]
    return {line.lstrip("# ").strip() for line in lines if line.startswith("#")}


@pytest.mark.parametrize("topic", [f.stem for f in FILES])
def test_bank_is_whole(topic):
    bank_of_topic = load_questions(topic)
    if topic in bank.NOTEBOOKS and not (ROOT / "nbs" / f"{bank.NOTEBOOKS[topic]}.ipynb").exists():
        pytest.skip("its notebook is not there")
    for q in bank_of_topic:
        notebook, heading = q["shown_in"].split("#", 1)
        assert heading in headings(notebook), f"{q['id']}: {notebook} has no heading {heading!r}"
        assert q["kind"] != "oral" or as_markdown(q, "en") and as_markdown(q, "zh")


def test_every_file_is_a_topic_and_every_topic_a_notebook():
    assert {f.stem for f in FILES} == set(bank.TOPICS) <= set(bank.NOTEBOOKS) and list(
        bank.ORDER
    ) == sorted(bank.ORDER)
    notebooks = {p.stem for p in (ROOT / "nbs").glob("*.ipynb")}
    assert notebooks <= set(bank.ORDER)


def test_ids_stand_once_and_find_names_the_nearest():
    ids = [q["id"] for q in bank.all_questions()]
    assert len(ids) == len(set(ids)) > 100 and bank.find(ids[7])["id"] == ids[7]
    with pytest.raises(KeyError, match=ids[7].replace(".", r"\.")):
        bank.find(ids[7] + "x")


def test_the_same_id_in_two_files_is_named(tmp_path, monkeypatch):
    text = (FIXTURES / "good.yaml").read_text(encoding="utf8")
    for topic in ("tour", "data"):
        (tmp_path / f"{topic}.yaml").write_text(
            text.replace("id: a.", "id: tour."), encoding="utf8"
        )
    monkeypatch.setattr(bank, "_folder", lambda: tmp_path)
    monkeypatch.setattr(bank, "TOPICS", ("tour", "data"))
    with pytest.raises(BankError, match="^data.yaml: tour.oral: id: expected to begin with data.$"):
        bank.all_questions()
    with pytest.raises(ValueError, match="topic='dta'; expected one of tour, data"):
        load_questions("dta")


def test_the_good_fixture_is_good():
    assert [q["kind"] for q in bank.read_bank(FIXTURES / "good.yaml")] == [
        "oral",
        "choice",
        "numeric",
    ]


@pytest.mark.parametrize("file", BROKEN, ids=lambda f: f.stem)
def test_a_broken_entry_is_named(file):
    "The first line of each fixture says what the error must be."
    expected = file.read_bytes().split(b"\n")[0].decode("utf-8-sig").removeprefix("# error: ")
    with pytest.raises(BankError) as e:
        bank.read_bank(file)
    assert str(e.value) == f"{file.name}: {expected}"


def test_every_field_is_missed():
    "Each required field of each kind, taken out, is named; so no field is checked by luck."
    for q in bank.read_bank(FIXTURES / "good.yaml"):
        for field in schema.FIELDS[q["kind"]]:
            less = {k: v for k, v in q.items() if k != field}
            with pytest.raises(BankError, match=f": {field}: is missing"):
                check_questions([less], "x.yaml")


@pytest.mark.parametrize("lang", schema.LANGUAGES)
def test_numbers_are_put_into_every_text(lang):
    "No name in braces is left for any seed, and every drawn number comes up."
    for q in [q for q in bank.all_questions() if q["kind"] == "numeric"]:
        items = [make_item(q, lang, seed) for seed in range(60)]
        for item in items:
            assert not any(
                f"{{{name}}}" in item.text + item.answer for name in (*q["draw"], "value")
            ), item
        draws = math.prod(len(numbers) for numbers in q["draw"].values())
        assert min(draws, 2) <= len({item.text for item in items}) <= draws


def test_the_right_option_stands_everywhere_equally_often():
    counts, options = Counter(), Counter()
    for q in [q for q in bank.all_questions() if q["kind"] == "choice"] or [
        bank.read_bank(FIXTURES / "good.yaml")[1]
    ]:
        for seed in range(200):
            item = make_item(q, "en", seed)
            counts[len(item.options), item.right] += 1
            options[len(item.options)] += 1
    for (n, _), k in counts.items():
        assert abs(k / options[n] * n - 1) < 0.15, (counts, options)
    assert len(counts) == sum(options.keys())


def test_order_and_numbers_are_the_same_in_another_process():
    code = (
        "from mmgen.interview.bank import read_bank\nfrom mmgen.interview.items import make_item\n"
        f"for q in read_bank({str(FIXTURES / 'good.yaml')!r}):\n"
        "  for s in range(9): i = make_item(q, 'en', s); print(i.options, i.value)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": str(h), "PYTHONPATH": str(ROOT)},
        ).stdout
        for h in (1, 2)
    }
    assert len(said) == 1
    orders = {line for line in min(said).splitlines() if "one" in line}
    assert len(orders) > 3  # and another order for another seed


@pytest.mark.parametrize(
    "text,value",
    [
        ("1 + 2 * 3", 7),
        ("-2 ** 2", -4),
        ("7 // 2 + 7 % 4", 6),
        ("h * h * log2(K)", 441.0),
        ("max(3, h, 2) - min(4, h)", 3),
        ("round(2.567, 1)", 2.6),
        ("ceil(h / 2) + floor(h / 2)", 7),
        ("abs(-pi) + e", 5.859874482048838),
        ("erf(0) + cos(0) + sqrt(16)", 5),
        ("log(exp(2)) + log10(100)", 4),
    ],
)
def test_arithmetic(text, value):
    assert evaluate(text, {"h": 7, "K": 512}) == pytest.approx(value) and names(text) <= {"h", "K"}


@pytest.mark.parametrize(
    "text",
    [
        "round(5, -10**9)",
        "",
        "  ",
        "1 +",
        "x",
        "__import__('os').system('true')",
        "().__class__",
        "[1]",
        "1 if h else 2",
        "lambda: 1",
        "h and 2",
        "h == 7",
        "True",
        "1j",
        "'a' * 9",
        "f'{h}'",
        "9 ** 9 ** 9",
        "2 ** 9999",
        "10. ** 400",
        "1 / 0",
        "sqrt(-1)",
        "(-8) ** .5",
        "log2(0)",
        "exp(1000)",
        "log()",
        "max(*[1, 2])",
        "round(1, ndigits=2)",
        "(h := 3)",
        "1" * 201,
        "(" * 150 + "1" + ")" * 49,
        "1e999",
        "0 * 1e999",
        "h(2)",
        None,
        3,
    ],
)
def test_what_is_not_arithmetic_is_refused(text):
    with pytest.raises(FormulaError):
        evaluate(text, {"h": 7})


def test_a_question_and_an_exercise_never_share_an_id():
    from mmgen.exercises import all_exercises

    assert not {q["id"] for q in bank.all_questions()} & set(all_exercises())


def texts(q, lang):
    "Every text of an entry in one language."
    found = []

    def walk(x):
        for k, v in x.items() if isinstance(x, dict) else enumerate(x):
            if k == lang:
                found.extend([v] if isinstance(v, str) else v)
            elif isinstance(v, (dict, list)):
                walk(v)

    walk({k: v for k, v in q.items() if k not in ("covers", "sources", "draw")})
    return found


def refused(entries, glossary):
    "Where an entry uses a Chinese rendering that the glossary refuses."
    pairs = [(term["zh"], re.compile(pattern)) for term in glossary for pattern in term["not"]]
    return [
        f"{q['id']}: {m[0]!r}; the term is {zh}"
        for q in entries
        for text in texts(q, "zh")
        for zh, p in pairs
        if (m := p.search(text))
    ]


GLOSSARY = yaml.safe_load((ROOT / "data" / "glossary.yaml").read_text(encoding="utf8"))


def test_one_chinese_term_for_each_concept():
    assert all(set(term) == {"en", "zh", "not"} and term["not"] for term in GLOSSARY)
    assert len({term["en"] for term in GLOSSARY}) == len(GLOSSARY) > 30
    assert refused(bank.all_questions(), GLOSSARY) == []


@pytest.mark.parametrize("term", GLOSSARY, ids=lambda t: t["en"])
def test_a_refused_rendering_is_found(term):
    """Each one, planted in an answer, an option and a rubric, is named; the term itself is not
    refused.
    """
    for pattern in term["not"]:
        planted = re.sub(r"\(\?[^)]*\)", " ", pattern).strip() + "。"
        oral, choice, _ = (dict(q) for q in bank.read_bank(FIXTURES / "good.yaml"))
        oral["answer"] = {**oral["answer"], "zh": planted}
        choice["right"] = {**choice["right"], "zh": f"又见 {planted}"}
        oral["rubric"] = {**oral["rubric"], "zh": [planted]}
        found = refused([oral, choice], GLOSSARY)
        assert len(found) >= 3 and {f.split(":")[0] for f in found} == {oral["id"], choice["id"]}, (
            pattern,
            found,
        )
        assert any(f.endswith(f"the term is {term['zh']}") for f in found)
    assert not refused([dict(id="a.term", answer={"en": "", "zh": term["zh"]})], GLOSSARY)


def thin(entries):
    """Points of a rubric too short to mark, refutations that only point somewhere, and reviews of
    code that is not shown.
    """
    for q in entries:
        if q["kind"] != "oral":
            continue
        for en, zh in zip(q["rubric"]["en"], q["rubric"]["zh"]):
            if len(en.split()) < 4 or len(zh) < 6:
                yield f"{q['id']}: rubric: {en!r}, {zh!r}"
        for lang, pointing in (
            ("en", "section named below|under the heading|see the cell"),
            ("zh", "所列小节|所指小节|见.{0,4}单元格"),
        ):
            if m := re.search(pointing, q["refuted"][lang]):
                yield f"{q['id']}: refuted: {m[0]!r}"
            if re.match("Review |审", q["question"][lang]) and "```" not in q["question"][lang]:
                yield f"{q['id']}: no code is shown"


def test_points_can_be_marked_and_a_refutation_says_why():
    assert list(thin(bank.all_questions())) == []
    rubric = {
        "en": ["numbers", "says which numbers are meant"],
        "zh": ["数字", "说出指的是哪些数字"],
    }
    broken = dict(
        bank.read_bank(FIXTURES / "good.yaml")[0],
        rubric=rubric,
        question={"en": "Review this loop.", "zh": "审这段循环。"},
        refuted={"en": "The figure of the section named below.", "zh": "所列小节的图。"},
    )
    assert [line.split(": ", 1)[1][:7] for line in thin([broken])] == [
        "rubric:",
        "refuted",
        "no code",
        "refuted",
        "no code",
    ]


def test_the_questions_of_one_part_of_a_lesson(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda m: shown.append(m.data))
    for part in ("10_diffusion", "10a_predictions"):
        questions("diffusion", part=part)
        own = [q for q in load_questions("diffusion") if q["shown_in"].startswith(f"{part}#")]
        oral = [q["question"]["en"].split("\n\n")[0] for q in own if q["kind"] == "oral"]
        assert oral and shown[-1].count("<details>") == len(oral)
        assert all(f"**{text.strip()}**" in shown[-1] for text in oral)
    with pytest.raises(ValueError, match="part='10_diffusio' answers no question of diffusion"):
        questions("diffusion", part="10_diffusio")


def test_an_exercise_is_found_under_its_own_heading():
    from mmgen.exercises import all_exercises
    from mmgen.interview.items import exercise_item

    for id in all_exercises():
        notebook, _, heading = exercise_item(id).shown_in.partition("#")
        nb = json.loads((ROOT / "nbs" / f"{notebook}.ipynb").read_text(encoding="utf8"))
        at = [i for i, c in enumerate(nb["cells"]) if f"### {heading}\n" in "".join(c["source"])]
        assert len(at) == 1, id
        assert f'check("{id}"' in "".join(nb["cells"][at[0] + 1]["source"])
