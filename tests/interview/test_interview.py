"""Items and their judge, spaced repetition, the quiz in terminal and notebook, the standing and the
completion report.
"""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from mmgen import cli
from mmgen.exercises import exchange, progress
from mmgen.exercises.engine import Result
from mmgen.interview import completion, memory, standing, terminal, widgets
from mmgen.interview.bank import read_bank
from mmgen.interview.items import (
    Item,
    all_items,
    exercise_item,
    format_number,
    judge,
    make_item,
    read_number,
)

ROOT = Path(__file__).parents[2]
GOOD = read_bank(ROOT / "tests" / "fixtures" / "bank" / "good.yaml")
ORAL = Item(
    "a.oral",
    "oral",
    "a",
    "junior",
    3.0,
    "Why **so** `x` <b>?",
    "Because.",
    rubric=("one", "two", "three", "four"),
    weak="weak words",
    refuted="refuted words",
    follow_ups=("deeper", "deepest"),
    shown_in="04_quantizer#Six numbers",
)
CHOICE = Item(
    "b.choice",
    "choice",
    "b",
    "junior",
    1.0,
    "Which?",
    "It is m.",
    options=("l", "m", "n", "o"),
    right=1,
    why=("not l", "", "not n", "not o"),
)
NUMBER = Item(
    "c.number",
    "numeric",
    "c",
    "senior",
    2.0,
    "How many?",
    "So many.",
    value=392.0,
    tolerance=0.01,
    unit="bits",
)
CODE = Item("quantizer.nearest", "code", "quantizer", "junior", 5.0, "Write it.", "")
ITEMS = [ORAL, CHOICE, NUMBER]
DAY = timedelta(days=1)
START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MMGEN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(progress, "_pending", {})
    monkeypatch.setattr(progress, "_told", set())
    return tmp_path


# Items and their judge


def test_make_item_of_each_kind_in_both_languages():
    for lang, oral, right, unit in (
        ("en", "Why?", "one", "bits"),
        ("zh", "为什么？", "一", "比特"),
    ):
        o, c, n = (make_item(q, lang, 3) for q in GOOD)
        assert (o.text, o.kind, o.topic, len(o.rubric), len(o.follow_ups)) == (
            oral,
            "oral",
            "a",
            2,
            2,
        )
        assert (
            c.options[c.right] == right
            and c.why[c.right] == ""
            and all(c.why[i] for i in range(4) if i != c.right)
        )
        h, _, K = map(int, re.findall(r"\d+", n.text))
        assert (
            n.unit == unit
            and n.value == h * h * (K.bit_length() - 1)
            and format_number(n.value) in n.answer
        )
    with pytest.raises(ValueError, match="lang='fr'; expected one of en, zh"):
        make_item(GOOD[0], "fr")


def test_the_two_languages_of_an_item_ask_the_same():
    for q in GOOD[1:]:
        for seed in range(20):
            en, zh = make_item(q, "en", seed), make_item(q, "zh", seed)
            assert en.value == zh.value and en.right == zh.right


@pytest.mark.parametrize(
    "text,value,unit",
    [
        ("1e-3", 0.001, ""),
        ("1/3", 1 / 3, ""),
        ("1,024", 1024, ""),
        ("1,024,000", 1024000, ""),
        ("1 024", 1024, ""),
        ("2^10", 1024, ""),
        ("3.2 %", 3.2, "%"),
        ("≈ 392 bits", 392, "bits"),
        ("about 392 bits.", 392, "bits"),
        ("约 392 比特", 392, "比特"),
        ("−3", -3, ""),
        ("３９２", 392, ""),
        ("½", 0.5, ""),
        ("2×10^3", 2000, ""),
        ("2*pi", 6.283185307179586, ""),
        ("1.5 bits per pixel", 1.5, "bits per pixel"),
        (7, 7, ""),
    ],
)
def test_numbers_are_read_as_people_write_them(text, value, unit):
    assert read_number(text) == (pytest.approx(value), unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nope",
        "3,2",
        "0,125",
        "2 pi",
        "1 + ",
        "9**9**9",
        "__import__('os')",
        "bits",
        None,
        True,
        "nan",
        "1e999",
    ],
)
def test_what_is_not_a_number_is_asked_again(text):
    with pytest.raises(
        ValueError, match="is not a number; expected for instance 392, 1e-3, 1/3 or 2"
    ):
        judge(NUMBER, text)


@pytest.mark.parametrize(
    "given,score,words",
    [
        (392, 1, "right"),
        ("392 bits", 1, "right"),
        ("395", 1, "right"),
        ("39200 %", 1, "right"),
        ("396.5", 0, "off by 1.1 %"),
        ("49", 0, "off by exactly 1/8: bits and bytes?"),
        (392 * 8, 0, "off by exactly 8"),
        (784, 0, "exactly 2"),
        (-392, 0, "the sign?"),
        (3920, 0, "exactly 10: the decimal point?"),
        (392 * 0.6931472, 0, "ln 2: log2 and ln?"),
        (392 / 100, 0, "1/100: a share and per cent?"),
        ("392 bytes", 0, "wanted in bits, not in bytes"),
    ],
)
def test_a_number_is_judged_and_a_known_factor_is_named(given, score, words):
    grade = judge(NUMBER, given)
    assert (
        grade.score == score
        and words in grade.message
        and (score or "the answer is 392 bits" in grade.message)
    )


def test_the_answer_as_it_is_shown_is_right_and_twice_it_is_not():
    for seed in range(5):
        for lang in ("en", "zh"):
            for item in all_items(kinds="numeric", lang=lang, seed=seed):
                typed = f"{format_number(item.value)} {item.unit}"
                assert judge(item, typed).score == judge(item, item.value).score == 1, item
                assert not item.value or judge(item, 2 * item.value).score == 0, item
                assert format_number(item.value) in judge(item, 1e-7).message


@pytest.mark.parametrize(
    "value,unit,right,wrong",
    [
        (
            2048,
            "MiB",
            ["2 GiB", "2048", "2048 MiB", "2097152 KiB", "2147483648 bytes"],
            ["2 GB", "2", "2 MiB", "2 nats", "2 s", "2 KiB"],
        ),
        (10.8, "GB", ["10800 MB", "1.08e10 bytes", "10.8 GB"], ["10.8 GiB", "10.8 MB"]),
        (392, "bits", ["49 bytes", "271.7 nats"], ["49", "49 s"]),
        (66, "小时", ["2.75 天", "3960 分钟", "66 h"], ["2.75", "66 天"]),
        (675, "million", ["0.675 billion"], ["675 billion"]),
    ],
)
def test_another_unit_of_the_same_kind_is_converted(value, unit, right, wrong):
    item = Item(
        "c.size",
        "numeric",
        "c",
        "senior",
        2.0,
        "How many?",
        "So many.",
        value=value,
        tolerance=0.001,
        unit=unit,
    )
    assert all(judge(item, typed).score == 1 for typed in right), [
        judge(item, typed) for typed in right
    ]
    assert all(judge(item, typed).score == 0 for typed in wrong), [
        judge(item, typed) for typed in wrong
    ]
    assert f"wanted in {unit}, not in nats" in judge(item, f"{7 * value} nats").message


def test_tolerance_zero_is_exact_up_to_rounding_and_zero_can_be_the_answer():
    third, zero = (
        Item("a.n", "numeric", "a", "junior", 1.0, "", "", value=v) for v in (1 / 3, 0.0)
    )
    assert judge(third, "1/3").score == 1 and judge(third, "0.3333").score == 0
    assert (
        judge(zero, 0).score == 1
        and judge(zero, "1e-3").score == 0
        and "the answer is 0" in judge(zero, 1).message
    )


def test_oral_choice_and_code_are_judged():
    assert (
        judge(ORAL, []).score == 0
        and judge(ORAL, [0, 3, 3]).score == 0.5
        and judge(ORAL, range(4)).score == 1
    )
    assert judge(CHOICE, 1).score == 1 and judge(CHOICE, 0) == type(judge(CHOICE, 0))(0.0, "not l")
    assert (
        judge(CODE, Result("passed")).score == 1
        and judge(CODE, Result("wrong", "why")).message == "why"
    )
    for item, bad in ((ORAL, [4]), (ORAL, [-1]), (CHOICE, 4), (CHOICE, "1"), (CHOICE, True)):
        with pytest.raises(ValueError, match="numbered 0 to 3"):
            judge(item, bad)


def test_all_items_and_exercises():
    items = all_items("quantizer")
    assert (
        {i.topic for i in items} == {"quantizer"}
        and "code" in {i.kind for i in items}
        and all(i.text and i.answer for i in items)
    )
    assert exercise_item("quantizer.nearest") in items and all(
        i.kind == "oral" for i in all_items(kinds="oral")
    )
    assert {i.level for i in all_items(level="staff")} == {"staff"}
    for name in ("topic", "level", "kinds", "lang"):
        with pytest.raises(ValueError, match=f"{name}='x'; expected"):
            all_items(**{name: "x"})


# Spaced repetition


def interval(scores, gap=None):
    """Days to the next review after these scores, each review at the day it was due (or after `gap`
    days).
    """
    when = START
    for score in scores:
        memory.remember("a.x", score, "oral", "en", when=when)
        after, when = when, memory.cards(when)["a.x"].due if gap is None else when + gap * DAY
    return (memory.cards(after)["a.x"].due - after).days


def test_intervals_grow_on_good_answers_and_shrink_on_a_miss(monkeypatch, tmp_path):
    def fresh(scores):
        monkeypatch.setenv("MMGEN_HOME", str(tmp_path / str(scores)))
        return interval(scores)

    good = [fresh([0.8] * n) for n in range(1, 6)]
    assert good == sorted(set(good)) and fresh([0.8, 0.8, 0.8, 0.1]) < good[2]
    assert fresh([0.1]) <= fresh([0.5]) <= fresh([0.8]) < fresh([1.0])


def test_equal_to_driving_fsrs_directly():
    from fsrs import Card, Rating, Scheduler

    plan = [
        (0.9, Rating.Good, 0),
        (1.0, Rating.Easy, 3),
        (0.39, Rating.Again, 20),
        (0.4, Rating.Hard, 21),
        (0.7, Rating.Good, 25),
        (0.95, Rating.Easy, 25.5),
    ]
    model, card = (
        Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False),
        Card(card_id=1),
    )
    for score, grade, day in plan:
        memory.remember("a.x", score, "oral", "en", when=START + day * DAY)
        card, _ = model.review_card(card, grade, START + day * DAY)
    ours = memory.cards(START + 26 * DAY)["a.x"]
    assert (ours.stability, ours.difficulty, ours.due, ours.last_review) == (
        card.stability,
        card.difficulty,
        card.due,
        card.last_review,
    )
    assert (
        memory.recall(START + 40 * DAY)["a.x"]
        == model.get_card_retrievability(card, START + 40 * DAY)
        < 1
    )


def test_due_and_times_in_utc():
    local = START.astimezone(timezone(timedelta(hours=9)))
    memory.remember("a.x", 0.8, "oral", "en", when=local)
    memory.remember("b.y", 0.1, "choice", "en", when=START.timestamp())
    assert [r.when for r in memory.reviews()] == [START, START] and memory.reviews()[
        0
    ].when.tzinfo is timezone.utc
    assert memory.due(START) == [] and memory.due(START + DAY) == ["b.y"] == memory.due(
        START, within_days=1
    )
    assert memory.due(START + 9 * DAY) == ["b.y", "a.x"]
    with pytest.raises(ValueError, match="expected a datetime with its time zone"):
        memory.due(datetime(2026, 1, 1))
    for bad in (-0.1, 1.1, float("nan"), "1", None, True):
        with pytest.raises(ValueError, match="expected a number from 0 to 1"):
            memory.remember("a.x", bad, "oral", "en")


def test_a_clock_that_jumps_back_loses_nothing():
    """A review dated 2099 by mistake: the item is due again at a sensible date, and all reviews are
    there.
    """
    memory.remember("a.x", 0.8, "oral", "en", when=datetime(2099, 1, 1, tzinfo=timezone.utc))
    memory.remember("a.x", 0.1, "oral", "en", when=START)
    assert len(memory.reviews()) == 2 and memory.cards(START)["a.x"].due < START + 30 * DAY
    memory.remember("a.x", 0.8, "oral", "en", when=START + DAY)
    assert memory.recall(START + DAY)["a.x"] > 0.8


def test_cards_agree_after_a_merge_in_any_order(tmp_path, monkeypatch):
    found = []
    for name, (first, second) in (("p", (0, 1)), ("q", (1, 0))):
        monkeypatch.setenv("MMGEN_HOME", str(tmp_path / name))
        for turn in (first, second):
            for day in (turn, turn + 4):
                memory.remember("a.x", 0.8 - 0.5 * turn, "oral", "en", when=START + day * DAY)
        card = memory.cards(START + 9 * DAY)["a.x"]
        found.append((card.stability, card.difficulty, card.due))
    assert found[0] == found[1]


def test_weak_topics_come_first():
    for i in range(4):
        memory.remember(f"good.{i}", 1.0, "oral", "en", when=START)
        memory.remember(f"bad.{i}", 0.25 * i, "oral", "en", when=START)
    bad, good = memory.weak_topics(START + DAY)
    assert (bad.topic, bad.items, bad.share, bad.missed) == (
        "bad",
        4,
        0.375,
        ("bad.0", "bad.1", "bad.2"),
    ) and good.topic == "good"
    assert bad.strength < good.strength and good.missed == () and 0 < bad.recall <= 1


# The quiz in the terminal


def session(monkeypatch, text, items=ITEMS, edit=False, encoding="utf8"):
    "The output of a session whose input is `text`; it ends where the text ends."
    monkeypatch.setattr(terminal, "all_items", lambda *a: list(items))
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    monkeypatch.setattr(sys, "stdout", out)
    grades = terminal.run(edit=edit, seed=0)
    out.flush()
    return out.buffer.getvalue().decode(encoding), grades


def test_a_whole_session(monkeypatch):
    out, grades = session(monkeypatch, "\n1 2 3\nb\n49\n")
    assert sorted(g.score for g in grades) == [0, 0.75, 1] and "3 answered, mean score 58%" in out
    for words in (
        "1. one",
        "Score 75%. 3 of 4 points",
        "weak words",
        "refuted words",
        "A follow-up\n  deeper",
        "A. l",
        "off by exactly 1/8: bits and bytes?",
        "Shown in 04_quantizer, section Six numbers.",
    ):
        assert words in out, words
    assert "\033[" not in out and "deepest" not in out
    assert {r.item: r.score for r in memory.reviews()} == {
        "a.oral": 0.75,
        "b.choice": 1,
        "c.number": 0,
    }


def test_what_cannot_be_read_is_asked_again_and_nothing_is_kept(monkeypatch):
    out, grades = session(monkeypatch, "\n1 x\n9\n-1\n4 1\nhello\nE\n9\nA\nmany\n3,2\n392\n")
    assert (
        out.count("Not understood") == 8
        and [g.score for g in grades] == [0.5, 0, 1]
        and "not l" in out
        and len(memory.reviews()) == 3
    )


@pytest.mark.parametrize(
    "text,kept",
    [
        ("", 0),
        ("\n", 0),
        ("\n1\n", 1),
        ("\n1\nq\n", 1),
        ("s\nb\n", 1),
        ("\ns\n\n", 1),
        ("\n\n\n\n", 3),
        ("\n1\nb", 2),
    ],
)
def test_the_end_at_any_point_keeps_what_was_answered(text, kept, monkeypatch):
    out, grades = session(monkeypatch, text)
    assert len(grades) == len(memory.reviews()) == kept and (
        "answered" in out if kept else "Nothing was answered." in out
    )


def test_ctrl_c_at_any_point_keeps_what_was_answered(monkeypatch):
    for n in range(5):
        answers = iter(["", "1", "b", "392"][:n])

        def typed(prompt, answers=answers):
            for a in answers:
                return a
            raise KeyboardInterrupt

        monkeypatch.setattr("builtins.input", typed)
        monkeypatch.setenv("MMGEN_HOME", f"{os.environ['MMGEN_HOME']}{n}")
        monkeypatch.setattr(terminal, "all_items", lambda *a: ITEMS)
        assert len(terminal.run(seed=0)) == len(memory.reviews()) == max(0, n - 1)


def test_chinese_on_a_latin_terminal_does_not_crash(monkeypatch):
    zh = dict(
        topic="a",
        level="junior",
        minutes=1.0,
        text="为什么？",
        answer="因此。",
        options=("一", "二", "三"),
        right=2,
        why=("错", "误", ""),
    )
    out, grades = session(
        monkeypatch, "C\n", [Item("a.y", "choice", **zh, lang="zh")], encoding="latin1"
    )
    assert grades[0].score == 1 and "C. ?" in out
    out, _ = session(monkeypatch, "C\n", [Item("a.z", "choice", **zh, lang="zh")])
    assert "为什么？" in out and "C. 三" in out


def test_due_first_then_new_topics_in_turn(monkeypatch):
    levels = enumerate(("junior", "screening", "staff"))
    items = [
        Item(f"{t}.{i}", "oral", t, level, 1.0, "?", "!", rubric=("x",))
        for i, level in levels
        for t in "abc"
    ]
    monkeypatch.setattr(terminal, "all_items", lambda *a: items)
    memory.remember("c.2", 1.0, "oral", "en", when=START)
    memory.remember("c.0", 0.1, "oral", "en", when=START - DAY)
    progress.record("a.1", "passed")
    chosen, due = terminal.choose(n=20, seed=0, when=START + 2 * DAY)
    ids = [i.id for i in chosen]
    assert due == 1 and ids[0] == "c.0" and set(ids) == {i.id for i in items} - {"c.2", "a.1"}
    assert [i.level for i in chosen[1:4]] == ["screening", "screening", "junior"] and len(
        {i.topic for i in chosen[1:4]}
    ) == 3
    assert terminal.choose(n=3, seed=0, when=START + 200 * DAY)[1] == 2
    with pytest.raises(ValueError, match="n=0; expected a whole number from 1"):
        terminal.choose(n=0)


def test_exercises_name_the_notebook_or_open_the_editor(monkeypatch, home):
    out, grades = session(monkeypatch, "", [CODE])
    assert "nbs/04_quantizer.ipynb and run check('quantizer.nearest', ...)" in out and grades == []
    right = exercise_item("quantizer.nearest").answer.strip("`").removeprefix("python")
    editor = home / "editor.py"
    editor.write_text(
        f"import sys, pathlib\np = pathlib.Path(sys.argv[1]); old = p.read_text()\n"
        f"p.write_text({right!r} if 'def broken' in old else 'def broken(' if '...' in old "
        "else old)",
        encoding="utf8",
    )
    monkeypatch.setenv("EDITOR", shlex.join([sys.executable, str(editor)]))
    monkeypatch.delenv("VISUAL", raising=False)
    out, grades = session(monkeypatch, "\n\n\n", [CODE], edit=True)
    assert "SyntaxError" in out and "passed" in out and grades[0].score == 1, out
    assert [o for _, _, o in progress.history()] == ["error", "passed"] and memory.reviews()[
        0
    ].kind == "code"
    monkeypatch.setenv("EDITOR", "/no/such/editor")
    monkeypatch.setenv("MMGEN_HOME", str(home / "another"))
    out, grades = session(monkeypatch, "\n", [CODE], edit=True)
    assert "/no/such/editor" in out and grades == []


def command(*args, text="", **env):
    done = subprocess.run(
        [sys.executable, "-m", "mmgen.cli", *args],
        input=text.encode(),
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )
    return done.returncode, done.stdout.decode("utf8", "replace") + done.stderr.decode(
        "utf8", "replace"
    )


def test_the_command_with_a_pipe_in_both_languages():
    code, out = command("quiz", "--topic", "vqvae", "--n", "1", "--kind", "oral", text="\n1 2\n")
    assert code == 0 and "1 answered" in out and "Traceback" not in out
    code, out = command(
        "quiz",
        "--topic",
        "vqvae",
        "--n",
        "1",
        "--kind",
        "oral",
        "--lang",
        "zh",
        text="\n1\n",
        PYTHONIOENCODING="latin1",
    )
    assert code == 0 and "Traceback" not in out and len(memory.reviews()) == 2
    code, out = command("quiz", "--topic", "vqgna")
    assert code == 2 and "topic='vqgna'; expected one of tour, data" in out


# Widgets


def press(quiz):
    quiz.button.click()


def shown(part):
    return "".join(
        c.value for c in part.children if hasattr(c, "value") and isinstance(c.value, str)
    )


def test_the_widget_asks_the_same_and_keeps_every_answer():
    quiz = widgets.QuizBox(ITEMS)
    assert (
        "Why <b>so</b> <code>x</code> &lt;b&gt;?" in shown(quiz.top)
        and quiz.button.description == "Show the points"
    )
    press(quiz)
    boxes = [row.children[0] for row in quiz.inputs.children[1:]]
    boxes[0].value = boxes[2].value = boxes[3].value = True
    press(quiz)
    after = shown(quiz.after)
    for words in (
        "Score 75%. 3 of 4 points",
        "weak words",
        "refuted words",
        "deeper",
        "section Six numbers",
    ):
        assert words in after, words
    assert "deepest" not in after
    press(quiz)
    assert "Which?" in shown(quiz.top) and shown(quiz.after) == ""
    press(quiz)
    assert len(quiz.grades) == 1  # nothing was chosen yet
    quiz.inputs.children[1].index = 0
    press(quiz)
    assert "not l" in shown(quiz.after) and "<b>B.</b> m" in shown(quiz.after)
    press(quiz)
    quiz.inputs.children[0].value = "many"
    press(quiz)
    assert "Not understood" in shown(quiz.after) and len(quiz.grades) == 2
    quiz.inputs.children[0].value = "392"
    press(quiz)
    press(quiz)
    assert "3 answered, mean score 58%" in shown(quiz.top) and quiz.button.disabled
    assert [(r.item, r.score) for r in memory.reviews()] == [
        ("a.oral", 0.75),
        ("b.choice", 0),
        ("c.number", 1),
    ]


def test_not_knowing_is_an_answer_too():
    quiz = widgets.QuizBox([replace(CHOICE, lang="zh"), replace(NUMBER, lang="zh")])
    quiz.unknown.click()
    assert "未作答" in shown(quiz.after)
    press(quiz)
    quiz.unknown.click()
    assert [r.score for r in memory.reviews()] == [0, 0] and "So many." in shown(quiz.after)


def test_without_a_front_end_a_line_stands_there(monkeypatch):
    from mmgen import interview

    seen = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw: seen.append((data["text/plain"], set(data)))
    )
    interview.quiz("vqvae", n=3)
    interview.progress()
    assert (
        seen[0][0] == "A quiz of 3 questions; in a terminal: mmgen quiz"
        and "Exercises passed" in seen[1][0]
    )
    assert all(
        "application/vnd.jupyter.widget-view+json" in kinds for _, kinds in seen
    ) and callable(interview.keep)
    with pytest.raises(AttributeError, match="has no attribute 'quizz'"):
        _ = interview.quizz


def test_importing_the_package_is_light():
    code = (
        "import sys, mmgen, mmgen.interview, mmgen.interview.items, mmgen.interview.terminal, "
        "mmgen.interview.completion\n"
        "print([m for m in ('torch', 'numpy', 'ipywidgets', 'IPython', 'matplotlib', 'fsrs', "
        "'yaml') if m in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env
    )
    assert done.stdout.strip() == "[]", done


# Standing and completion


def learned():
    for i, score in enumerate((0.2, 1.0, 0.5)):
        memory.remember(f"vqvae.{i}", score, "oral", "en", 30, START + i * DAY)
    memory.remember("vqvae.0", 0.8, "oral", "en", 30, START + 5 * DAY)
    memory.remember("data.0", 1.0, "choice", "zh", None, START)
    for e, o in (
        ("quantizer.x", "wrong"),
        ("quantizer.x", "passed"),
        ("dit.x", "passed"),
        ("dit.x", "reset"),
    ):
        progress.record(e, o)
    progress.save_session("s", {"n": 1})


def test_standing_names_what_to_read_again(monkeypatch):
    assert "No question was answered yet" in standing.report()
    q = next(q for q in standing.all_questions() if q["kind"] == "oral")
    memory.remember(q["id"], 0.1, "oral", "en", when=START)
    progress.record("quantizer.nearest", "passed")
    s = standing.standing(START + DAY)
    assert s.passed["quantizer"][0] == 1 and (s.due_today, s.due_week, s.answers) == (1, 1, 1)
    assert list(s.places.values()) == [[q["shown_in"]]]
    en, zh = standing.report("en", START + DAY), standing.report("zh", START + DAY)
    assert (
        "read again: " + q["shown_in"].replace("#", ", section ") in en
        and "Due today: 1. Due within seven days: 1." in en
    )
    assert "今天到期：1" in zh


def test_without_fsrs_all_but_the_schedule_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsrs", None)
    out, grades = session(monkeypatch, "\n1\nb\n392\n")
    assert len(grades) == len(memory.reviews()) == 3 and "pip install fsrs" in out
    assert "Exercises passed" in standing.report() and "pip install fsrs" in standing.report()


def test_completion_is_recomputed_from_the_export(home):
    learned()
    exchange.export(home / "e.jsonl")
    found = completion.make(home / "r.html", home / "e.jsonl")
    assert (
        found == completion.make(home / "own.html")
        and (home / "r.html").read_bytes() == (home / "own.html").read_bytes()
    )
    assert (
        found["passed"],
        found["answered"],
        found["answers"],
        found["sessions"],
        found["events"],
    ) == (1, 4, 5, 1, 10)
    assert found["score"] == round((0.8 + 1 + 0.5 + 1) / 4, 4) and found["vqvae: score"] == round(
        2.3 / 3, 4
    )
    assert found["first"] == "2026-03-01 12:00 UTC"
    assert found["sha256"] == json.loads((home / "e.jsonl").read_text().split("\n")[0])["sha256"]
    assert completion.verify(home / "r.html", home / "e.jsonl") == []
    completion.make(home / "zh.html", home / "e.jsonl", "zh")
    assert completion.verify(home / "zh.html", home / "e.jsonl") == []


@pytest.mark.parametrize(
    "old,new,words",
    [
        (
            "&quot;answered&quot;: 4",
            "&quot;answered&quot;: 9",
            "answered: the report says 9, the events give 4",
        ),
        (
            "<td>82%</td>",
            "<td>99%</td>",
            "page: what the report shows is not what its figures give",
        ),
        (
            "&quot;passed&quot;: 1",
            "&quot;pass&quot;: 1",
            "passed: the report says 'nothing', the events give 1",
        ),
    ],
)
def test_a_changed_report_is_found_out(old, new, words, home):
    learned()
    exchange.export(home / "e")
    completion.make(home / "r.html", home / "e")
    text = (home / "r.html").read_text(encoding="utf8")
    assert old in text
    (home / "r.html").write_text(text.replace(old, new), encoding="utf8")
    assert words in completion.verify(home / "r.html", home / "e")


def test_a_changed_export_is_found_out(home):
    import hashlib

    learned()
    exchange.export(home / "e")
    completion.make(home / "r.html", home / "e")
    head, *lines = (home / "e").read_text().rstrip("\n").split("\n")
    (home / "cut").write_text("\n".join([head, *lines[1:]]))
    with pytest.raises(progress.ProgressError, match="is damaged"):
        completion.verify(home / "r.html", home / "cut")
    lines = [line.replace("0.2", "1.0") for line in lines]  # and the sum made to fit
    head = json.dumps(
        {**json.loads(head), "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}
    )
    (home / "forged").write_text("\n".join([head, *lines]) + "\n")
    differs = completion.verify(home / "r.html", home / "forged")
    assert len(differs) == 1 and differs[0].startswith("sha256: the report says")
    memory.remember("vqvae.9", 0.0, "oral", "en")
    exchange.export(home / "later")
    assert any(
        d.startswith("answered: the report says 4, the events give 5")
        for d in completion.verify(home / "r.html", home / "later")
    )
    pages = [
        f'<html lang="{lang}"><pre id="figures" hidden>{data}</pre>'
        for lang, data in (("xx", "{}"), ("en", "[]"))
    ]
    for text in ("", "<html></html>", *pages):
        (home / "no.html").write_text(text)
        with pytest.raises(progress.ProgressError, match="is not a completion report"):
            completion.verify(home / "no.html", home / "e")


def test_a_topic_from_a_foreign_export_cannot_write_html(home):
    memory.remember("<script>alert(1)</script>.x", 1.0, "oral", "en")
    exchange.export(home / "e")
    completion.make(home / "r.html", home / "e")
    assert (
        "<script" not in (home / "r.html").read_text(encoding="utf8")
        and completion.verify(home / "r.html", home / "e") == []
    )


def test_the_progress_command(home, capsys, monkeypatch):
    learned()
    e, r = str(home / "e"), str(home / "r.html")
    assert (
        cli.main(["progress", "--export", e, "--report", r]) == 0
        and cli.main(["progress", "--verify", r, "--from", e]) == 0
    )
    assert "is what" in capsys.readouterr().out
    monkeypatch.setenv("MMGEN_HOME", str(home / "other"))
    assert cli.main(["progress", "--import", e]) == 0 and "10 new events" in capsys.readouterr().out
    assert cli.main(["progress", "--import", e]) == 0 and "0 new events" in capsys.readouterr().out
    assert cli.main(["progress"]) == 0 and "Exercises passed" in capsys.readouterr().out
    memory.remember("x.y", 1.0, "oral", "en")
    cli.main(["progress", "--export", e])
    assert cli.main(["progress", "--verify", r, "--from", e]) == 1
    assert "answers: the report says 5, the events give 6" in capsys.readouterr().out
    for args in (
        ["--import", str(home / "none")],
        ["--import", r],
        ["--verify", e, "--from", e],
        ["--lang", "fr"],
    ):
        assert cli.main(["progress", *args]) == 2 and "mmgen progress: " in capsys.readouterr().err
    assert cli.main(["progress", "--verify", r]) == 1
