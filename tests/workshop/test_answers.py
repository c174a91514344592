"""Files of answers: how they are read, what is said of a broken one, and what counts as judged
wrongly.
"""

import pytest

from mmgen.exercises.engine import EMPTY, ERROR, PASSED, WRONG
from workshop import answers, cli
from workshop.answers import Answer, Judgement
from workshop.mutation import MutationError

GOOD = """"Two answers."

import torch


# exercise: quantizer.lookup
def best(weights):
    return weights.argmax(1)


# right: with a helper
def pick(weights, codebook):
    return codebook[best(weights)]


# a comment of its own
# wrong: a mixture
def pick(weights, codebook):
    return weights @ codebook


# exercise: diffusion.weight
# wrong: one number
answer = 0.25
"""


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("MMGEN_HOME", str(tmp_path / "home"))


def written(folder, text, name="some.py"):
    (folder / name).write_text(text, encoding="utf8")
    return folder / name


def test_a_file_is_read_section_by_section(tmp_path):
    first, second, third = answers.read(written(tmp_path, GOOD))
    assert (first.exercise, first.right, first.title) == ("quantizer.lookup", True, "with a helper")
    assert [a.place for a in (first, second, third)] == ["some.py:11", "some.py:17", "some.py:23"]
    assert (third.exercise, third.right) == ("diffusion.weight", False)
    for a in (first, second):  # imports and helpers stand before each, every line at its place
        lines = a.source.splitlines()
        assert lines[2] == "import torch" and lines[6] == "def best(weights):"
    assert "weights @ codebook" in second.source and "codebook[best" not in second.source
    assert second.source.splitlines()[18] == "    return weights @ codebook"
    assert "def best" not in third.source and "import torch" in third.source


@pytest.mark.parametrize(
    "old,new,words",
    [
        ("# right: with", "# rigth: with", "some.py:11: '# rigth: with a helper'; expected"),
        ("# right: with a helper", "# right:", "some.py:11: right: says nothing"),
        ("quantizer.lookup", "quantizer.lokup", "some.py:6: no exercise 'quantizer.lokup'; near:"),
        ("def pick(weights", "def peck(weights", "some.py:11: the answer to quantizer.lookup does"),
        ("return weights @ codebook", "return weights @", "some.py:19: invalid syntax"),
        ("# wrong: a mixture", "# wrong: with a helper", "stands already in line 11"),
        ("answer = 0.25\n", "", "some.py:23: no code follows"),
        ("# exercise: quantizer.lookup\n", "", "no line '# exercise: ID' stands before it"),
        ("import torch", "import torch torch", "some.py:3: invalid syntax"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, old, new, words):
    assert old in GOOD
    with pytest.raises(MutationError) as e:
        answers.read(written(tmp_path, GOOD.replace(old, new, 1)))
    assert words in str(e.value)


def test_a_file_without_answers_and_a_missing_one_are_errors(tmp_path):
    with pytest.raises(MutationError, match="holds no answer"):
        answers.read(written(tmp_path, "import torch\n"))
    with pytest.raises(MutationError, match="no file of answers"):
        answers.files(tmp_path / "none.py")
    written(tmp_path, GOOD, "other.py")
    assert [f.name for f in answers.files(tmp_path)] == ["other.py", "some.py"]


def judged(right, outcome, message=""):
    return Judgement(
        Answer("a.b", right, "t", "f.py:1", "x = 1\nreturn x.nope\n"), outcome, message
    )


@pytest.mark.parametrize(
    "right,outcome,message,fault",
    [
        (True, PASSED, "", ""),
        (True, WRONG, "no", "right, but wrong"),
        (True, EMPTY, "", "right, but not attempted"),
        (False, WRONG, "  property  p", ""),
        (False, WRONG, "", "wrong, but refused without a message"),
        (False, PASSED, "", "wrong, but passed"),
        (False, EMPTY, "", "wrong, but called not attempted"),
        (False, "late", "over 10 s", ""),
        (False, ERROR, "  E: nope\n  line 2, in pick: return x.nope", ""),
        (False, ERROR, "  E: k\n  line 9, in check: a[b]", "wrong, and the checker itself stopped"),
    ],
)
def test_what_counts_as_judged_wrongly(right, outcome, message, fault):
    assert judged(right, outcome, message).fault == fault


def test_the_table_of_confusion_adds_up():
    found = [
        judged(True, PASSED),
        judged(True, WRONG, "no"),
        judged(False, WRONG, "no"),
        judged(False, PASSED),
        judged(False, EMPTY),
    ]
    rows = [r.strip("| ").split(" | ") for r in answers.table(found).splitlines()]
    assert rows[2] == ["a.b", "1", "1", "1", "1", "1"] and rows[3] == ["all", *rows[2][1:]]


def test_the_command_judges_and_names_what_is_judged_wrongly(tmp_path, capsys):
    file = written(tmp_path, GOOD)
    assert cli.main(["mutants", "--answers", str(file)]) == 0
    out = capsys.readouterr().out
    assert (
        "| quantizer.lookup | 1 | 0 | 1 | 0 | 0 |" in out and "| all | 1 | 0 | 2 | 0 | 0 |" in out
    )
    text = GOOD.replace("# right: with", "# wrong: with").replace("weights @", "1 / 0 * weights @")
    written(tmp_path, text.replace("# wrong: a mix", "# right: a mix"))
    assert cli.main(["mutants", "quantizer", "--answers", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "some.py:11: quantizer.lookup: with a helper: wrong, but passed" in out
    assert "some.py:17: quantizer.lookup: a mixture: right, but error" in out
    assert "line 19, in pick" in out and "diffusion.weight" not in out


def test_an_answer_that_never_ends_is_late_and_the_next_is_judged(tmp_path):
    text = GOOD.replace("    return weights @ codebook", "    while True:\n        pass")
    found = answers.judge(answers.read(written(tmp_path, text))[:2])
    assert [j.outcome for j in found] == [PASSED, "late"] and not any(j.fault for j in found)


def test_mistakes_in_the_command_are_one_line(tmp_path, capsys):
    assert cli.main(["mutants", "--answers", str(tmp_path / "no.py")]) == 2
    assert "no file of answers" in capsys.readouterr().err
    assert cli.main(["mutants", "--answers", "x.py", "--survivors"]) == 2
    assert "--answers judges answers" in capsys.readouterr().err
