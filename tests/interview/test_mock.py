"""The mock interview: its plan, its walk, its storage, its report, and the terminal. Nothing here
waits for a clock.
"""

import json
import math
import os
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mmgen.exercises.engine import Result
from mmgen.interview import kept, mock, report, talk
from mmgen.interview.bank import LEVELS, TOPICS
from mmgen.interview.candidate import simulate
from mmgen.interview.items import Item
from mmgen.interview.kept import keep_session, kept_sessions, load_session
from mmgen.interview.mock import Interview, after_time, draw_plan
from mmgen.interview.report import report_html, study_link, write_report
from mmgen.interview.room import Room
from mmgen.interview.summary import summary

ROOT = Path(__file__).parents[2]
MINUTES = dict(oral=3.0, choice=1.0, numeric=2.0, code=4.0)


def made(topic, level, kind):
    "A question of the synthetic bank."
    more = {}
    if kind == "oral":
        more = dict(
            rubric=("one", "two", "three", "four"),
            follow_ups=("deeper", "deeper still"),
            weak="weak",
            refuted="refuted so",
        )
    if kind == "choice":
        more = dict(
            options=("w1", "good", "w2", "w3"), right=1, why=("why w1", "", "why w2", "why w3")
        )
    if kind == "numeric":
        more = dict(value=392.0, tolerance=0.0, unit="bits")
    return Item(
        f"{topic}.{level}-{kind}",
        kind,
        topic,
        level,
        MINUTES[kind],
        f"Question on {topic}?",
        "The model answer.",
        shown_in=f"04_{topic}#A heading",
        sources=("Somebody 2020",),
        **more,
    )


BANK = [made(t, v, k) for t in TOPICS for v in LEVELS for k in MINUTES]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MMGEN_HOME", str(tmp_path / "a home é"))


def session(**kw):
    return Interview(**{**dict(items=BANK, now=lambda: 1e9), **kw})


def play(interview, knows, seconds=60.0, marks=1.0, steps=None):
    """Answer as a candidate who knows the items for which `knows(item)`; a follow-up is marked
    `marks`.
    """
    asked = []
    while (ask := interview.next()) and (steps is None or len(asked) < steps):
        asked.append(ask)
        good = knows(ask.item)
        if ask.stage == "mark":
            interview.mark(
                marks if ask.why == "follow-up" else range(len(ask.item.rubric)) if good else []
            )
        elif ask.why == "follow-up" or ask.item.kind == "oral":
            interview.answer("my words", seconds)
        elif ask.item.kind == "code":
            interview.answer(Result("passed" if good else "wrong", "because"), seconds)
        else:
            interview.answer(
                {"choice": 1 if good else 0, "numeric": "392" if good else "7"}[ask.item.kind],
                seconds,
            )
    return asked


@pytest.mark.parametrize("minutes", mock.SESSIONS)
@pytest.mark.parametrize("role", mock.ROLES)
@pytest.mark.parametrize("level", LEVELS)
def test_a_plan_fits_its_session(role, level, minutes):
    for seed in range(5):
        plan = draw_plan(BANK, role, level, minutes, seed)
        assert plan == draw_plan(BANK, role, level, minutes, seed)
        assert sum(i.minutes for i in plan) <= mock.PLANNED * minutes and len(
            {i.id for i in plan}
        ) == len(plan)
        assert sum(i.minutes for i in plan) > mock.PLANNED * minutes - 3, (
            "time is left for another question"
        )
        assert plan[0].kind == "oral"
        codes = [i for i in plan if i.kind == "code"]
        assert len(codes) <= mock.SESSIONS[minutes][0] and all(
            i.minutes <= mock.SESSIONS[minutes][1] for i in codes
        )
        assert {"oral", "code"} < {i.kind for i in plan}
    assert (
        len({tuple(i.id for i in draw_plan(BANK, role, level, minutes, s)) for s in range(5)}) > 1
    )


def share(topic, **kw):
    plans = [
        draw_plan(BANK, kw.get("role", "ml engineer"), "junior", 30, s, kw.get("weak"))
        for s in range(150)
    ]
    return sum(i.topic == topic for p in plans for i in p) / sum(map(len, plans))


def test_role_level_and_weakness_steer_the_plan():
    assert share("training") > 1.5 * share("training", role="research engineer")
    assert share("vqgan", weak={"vqgan": 1.0}) > 1.5 * share("vqgan")
    levels = [
        i.level for s in range(100) for i in draw_plan(BANK, "ml engineer", "senior", 30, s)[1:]
    ]
    assert levels.count("senior") > 2 * max(levels.count("junior"), levels.count("screening"))
    first = [draw_plan(BANK, "ml engineer", "senior", 30, s)[0].level for s in range(100)]
    assert first.count("screening") > 50


@pytest.mark.parametrize(
    "change,words",
    [
        (dict(role="boss"), "role='boss'; expected one of research engineer"),
        (dict(minutes=20), "minutes=20; expected one of 15, 30, 60"),
        (dict(level="easy"), "level='easy'"),
        (dict(lang="fr"), "lang='fr'; expected one of en, zh"),
        (dict(items=[]), "nothing that fits"),
    ],
)
def test_bad_arguments_are_named(change, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        session(**change)


def test_nothing_is_shown_before_the_answer():
    interview = session(seed=3)
    ask = interview.next()
    assert ask.why == "opening" and ask.stage == "answer" and ask.item.kind == "oral"
    assert (
        not ask.item.rubric
        and not ask.item.answer
        and not ask.item.weak
        and not ask.item.sources
        and ask.item.right == -1
    )
    with pytest.raises(ValueError, match="call answer"):
        interview.mark([0])
    assert interview.next() == ask
    assert interview.answer("words", 10) is None
    shown = interview.next()
    assert (
        shown.stage == "mark"
        and shown.item.rubric == ("one", "two", "three", "four")
        and shown.item.answer
    )
    with pytest.raises(ValueError, match="call mark"):
        interview.answer("others", 10)
    with pytest.raises(ValueError, match="4 of them"):
        interview.mark([4])
    assert interview.mark([0, 1]).score == 0.5 and interview.state["turns"][0]["given"] == "words"


def test_the_walk_goes_deeper_after_good_and_easier_after_bad():
    good = play(session(seed=1, minutes=60), lambda item: True, seconds=30)
    whys = [(a.why, a.depth) for a in good if a.stage == "answer"]
    at = [k for k, (why, depth) in enumerate(whys) if depth == 1]
    assert (
        at
        and all(whys[k - 1][0] in ("opening", "planned") for k in at)
        and ("follow-up", 2) in whys
        and "easier" not in dict(whys)
    )
    assert all(whys[k - 1] == ("follow-up", 1) for k, w in enumerate(whys) if w == ("follow-up", 2))
    halting = play(session(seed=1, minutes=60), lambda item: True, seconds=30, marks=0.5)
    assert {a.depth for a in halting} == {0, 1}, (
        "the second follow-up comes only after a good first"
    )
    bad = [
        a
        for a in play(session(seed=1, minutes=60), lambda item: False, seconds=30)
        if a.stage == "answer"
    ]
    for before, a in zip(bad, bad[1:]):
        assert a.why != "follow-up"
        if a.why == "easier":
            assert (
                a.item.topic == before.item.topic
                and before.why != "easier"
                and a.item.id not in {b.item.id for b in bad if b is not a}
            )
            assert LEVELS.index(a.item.level) <= max(LEVELS.index(before.item.level) - 1, 0)
    assert any(a.why == "easier" for a in bad)


def test_extras_never_cost_a_planned_question():
    for seed in range(5):
        for knows in (lambda item: True, lambda item: False):
            interview = session(seed=seed, minutes=30)
            for ask in iter(interview.next, None):  # every question takes exactly its time
                if ask.stage == "mark":
                    interview.mark(1.0 if ask.depth else range(4) if knows(0) else [])
                else:
                    interview.answer("x" if ask.item.kind == "oral" else None, ask.minutes * 60)
            assert not interview.state["skipped"] and interview.state["used"] <= 30 * 60


def test_running_over_costs_and_ends_the_session():
    assert (
        after_time(0.8, 120, 2) == 0.8
        and after_time(0.8, 180, 2) == pytest.approx(0.8 * 2 / 3)
        and after_time(0.8, 9999, 2) == 0.4
    )
    noted = []
    interview = session(
        seed=2,
        minutes=15,
        remember=lambda item, score, seconds, outcome: noted.append((item.id, score, seconds)),
    )
    play(interview, lambda item: True, seconds=400)
    s = interview.state
    assert (
        s["finished"] == 1e9
        and s["skipped"]
        and len([t for t in s["turns"] if t["why"] == "planned"]) < len(s["plan"]) - 1
    )
    assert all(
        t["raw"] == 1 and t["score"] == pytest.approx(max(0.5, t["minutes"] * 60 / 400))
        for t in s["turns"]
    )
    assert [n[1:] for n in noted] == [(1.0, 400.0)] * len(noted), (
        "the memory takes the grade without the cost of time"
    )
    assert [n[0] for n in noted] == [t["item"]["id"] for t in s["turns"] if t["why"] != "follow-up"]


def to(interview, kind):
    "Walk on to the first question of a kind."
    while (ask := interview.next()).item.kind != kind or ask.why == "follow-up":
        interview.answer(None, 1)
    return ask


def test_bad_input_changes_nothing():
    interview = session(seed=0, minutes=60)
    to(interview, "numeric")
    before = json.dumps(interview.state)
    for given, seconds in (("many", 1), ("7", -1), ("7", math.nan), ("7", "1"), ("7", True)):
        with pytest.raises(ValueError):
            interview.answer(given, seconds)
        assert json.dumps(interview.state) == before
    assert interview.answer("392", 1).score == 1
    interview = session(seed=0, minutes=60)
    to(interview, "choice")
    with pytest.raises(ValueError, match="4 of them"):
        interview.answer(9, 1)
    assert interview.answer(1, 1).score == 1


def test_a_killed_session_goes_on_as_if_nothing_had_happened():
    whole = session(seed=5, minutes=30, keep=keep_session)
    play(whole, lambda item: item.topic in TOPICS[:7])
    for stop in range(0, 16, 3):
        first = session(seed=5, minutes=30, keep=keep_session)
        play(first, lambda item: item.topic in TOPICS[:7], steps=stop)
        first.next()
        if first.state["pending"]["stage"] == "answer":
            first.draft("half a sent")
        stored = load_session(first.state["id"])
        second = Interview.resume(stored, items=BANK, now=lambda: 1e9, keep=keep_session)
        assert second.next() == first.next() or second.next().draft == "half a sent"
        play(second, lambda item: item.topic in TOPICS[:7])
        assert (
            second.state["turns"] == whole.state["turns"]
            and load_session(first.state["id"]) == second.state
        )
    assert load_session() is None and len(kept_sessions()) == 7
    open_one = session(seed=6, keep=keep_session)
    assert load_session()["id"] == open_one.state["id"]
    with pytest.raises(KeyError, match="no interview is stored as 'x'"):
        load_session("x")
    with pytest.raises(ValueError, match="form 9; this version"):
        Interview.resume({**open_one.state, "form": 9})


@pytest.mark.parametrize(
    "text,outcome,words",
    [
        (
            "def code_bits(grid, n_codes):\n    import math\n    return grid[0] * grid[1] * "
            "math.log2(n_codes)",
            "passed",
            "",
        ),
        ("def code_bits(grid, n_codes): return grid[0] * n_codes", "wrong", "property"),
        ("def code_bits(", "error", "SyntaxError"),
        ("x = 1", "error", "does not define code_bits"),
        ("raise SystemExit", "error", "SystemExit"),
        ("code_bits = 1", "wrong", "can be called"),
    ],
)
def test_code_is_run_and_judged(text, outcome, words):
    result = mock.run_code("tour.code_bits", text)
    assert result.outcome == outcome and words in result.message


def test_code_that_never_ends_is_stopped(monkeypatch):
    from mmgen.exercises import exercise

    monkeypatch.setattr(exercise("tour.code_bits"), "seconds", 0.3)
    result = mock.run_code("tour.code_bits", "while True: pass")
    assert result.outcome == "error" and "still running" in result.message


class Text(HTMLParser):
    "Tags in order and the words between them."

    def __init__(self, page):
        super().__init__()
        self.tags, self.words, self.links = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k == "href"]

    def handle_data(self, data):
        self.words.append(data)


def by_hand(state):
    "Overall score and score of each topic, computed from the turns in another way."
    total = gained = 0.0
    topics = {}
    for t in state["turns"]:
        if t["why"] == "follow-up":
            continue
        kind, minutes = t["item"]["kind"], t["item"]["minutes"]
        raw = {
            "oral": len(t["points"]) / 4,
            "choice": float(t["given"] == 1),
            "numeric": float(t["given"] == "392"),
            "code": float(t["outcome"] == "passed"),
        }[kind]
        got = raw * (1 if t["seconds"] <= 60 * minutes else max(0.5, 60 * minutes / t["seconds"]))
        topics.setdefault(t["item"]["topic"], []).append((minutes, got))
        if t["why"] != "easier":
            total += minutes
            gained += minutes * got
    return gained / total, {
        k: sum(m * g for m, g in v) / sum(m for m, _ in v) for k, v in topics.items()
    }


@pytest.mark.parametrize("seed", range(6))
def test_scores_of_the_report_equal_an_independent_computation(seed):
    interview = session(seed=seed, minutes=(15, 30, 60)[seed % 3])
    play(interview, lambda item: len(item.id) % 3, seconds=100 + 40 * seed)
    s, (overall, topics) = summary(interview.state), by_hand(interview.state)
    assert s["overall"] == pytest.approx(overall) and {
        k: v["score"] for k, v in s["topics"].items()
    } == pytest.approx(topics)
    assert sum(s["lost"].values()) == pytest.approx(100 * (1 - overall))
    assert sum(k["n"] for k in s["kinds"].values()) == sum(
        t["why"] != "follow-up" for t in interview.state["turns"]
    )
    assert f">{overall:.0%}</span>" in report_html(interview.state)


def test_the_report_can_be_recomputed_from_the_stored_session(tmp_path):
    interview = session(seed=4, keep=keep_session)
    play(interview, lambda item: item.level == "junior")
    first = write_report(interview.state, tmp_path / "new folder" / "r.html")
    assert (
        write_report(load_session(interview.state["id"]), tmp_path / "again.html").read_bytes()
        == first.read_bytes()
    )
    assert sorted(p.name for p in first.parent.iterdir()) == ["r.html"]


@pytest.mark.parametrize("known,lacking", [("diffusion", "vqvae"), ("vqvae", "diffusion")])
def test_a_candidate_who_lacks_a_topic_sees_it(known, lacking):
    bank = [i for i in BANK if i.topic in (known, lacking)]
    interview = session(items=bank, seed=1, role="product engineer", minutes=60)
    play(interview, lambda item: item.topic == known)
    s = summary(interview.state)
    assert (
        s["strengths"] == [known]
        and {g["topic"] for g in s["gaps"]} == {lacking}
        and s["plan"][0]["topic"] == lacking
    )
    assert all(g["missed"] or g["said"] for g in s["gaps"]) and all(
        p["minutes"] > 0 for p in s["plan"]
    )


def simulated(skill, kindness=0.0, seed=0):
    "The stored state of a session that a simulated candidate has held."
    return simulate(session(seed=3, minutes=60), skill, random.Random(seed), kindness)


def test_a_simulated_candidate_knows_what_its_skill_says():
    knows, lacks = simulated(lambda topic: 1.0), simulated(lambda topic: 0.0)
    assert knows["finished"] and {t["raw"] for t in knows["turns"]} == {1.0}
    assert lacks["finished"] and {t["raw"] for t in lacks["turns"]} == {0.0}
    kinds = {t["item"]["kind"] for state in (knows, lacks) for t in state["turns"]}
    assert kinds == set(MINUTES) and any(t["depth"] == 2 for t in knows["turns"])
    halves = [simulated(lambda topic: float(topic < "m"), seed=s) for s in (0, 1)]
    for t in [t for state in halves for t in state["turns"]]:
        assert t["raw"] == float(t["item"]["topic"] < "m")


def test_a_simulated_candidate_is_drawn_from_its_generator():
    one, same, other = (simulated(lambda topic: 0.5, seed=s) for s in (0, 0, 1))
    assert one["turns"] == same["turns"] != other["turns"]
    named = []
    for s in range(20):
        turns = simulated(lambda topic: 0.3, seed=s)["turns"]
        named += [t["raw"] for t in turns if t["item"]["kind"] == "oral" and not t["depth"]]
    assert len(named) > 50 and abs(sum(named) / len(named) - 0.3) < 0.06


def test_a_kind_candidate_ticks_more_and_knows_no_more():
    kind = simulated(lambda topic: 0.0, kindness=1.0)["turns"]
    assert {t["raw"] for t in kind if t["item"]["kind"] == "oral"} == {1.0}
    judged = [t["raw"] for t in kind if t["item"]["kind"] != "oral"]
    assert judged and set(judged) == {0.0}


def test_strong_and_weak_candidates_get_different_reports():
    strong, weak = session(seed=7), session(seed=7)
    play(strong, lambda item: True)
    play(weak, lambda item: False)
    a, b = summary(strong.state), summary(weak.state)
    assert (
        a["overall"] == 1
        and b["overall"] == 0
        and not a["gaps"]
        and not a["plan"]
        and not b["strengths"]
        and b["plan"]
    )
    assert a["deep"][0] > 0 and b["deep"] == (0, 0)
    assert "None that cost a point" in report_html(strong.state) and "refuted so" in report_html(
        weak.state
    )


def test_the_plan_follows_what_would_gain_most():
    interview = session(seed=8, minutes=60, role="ml engineer")
    play(interview, lambda item: False)
    s = summary(interview.state)
    gains = [
        s["lost"].get(p["topic"], 0) * mock.ROLES["ml engineer"].get(p["topic"], 1)
        for p in s["plan"]
    ]
    assert gains == sorted(gains, reverse=True) and len(
        {(p["place"], p["exercise"]) for p in s["plan"]}
    ) == len(s["plan"])


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)> & \"'"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_the_learner_wrote_is_escaped(lang, monkeypatch):
    monkeypatch.setattr(mock, "run_code", lambda id, text: Result("error", f"SyntaxError: {text}"))
    interview = session(seed=1, lang=lang, minutes=60)
    for ask in iter(interview.next, None):
        if ask.stage == "mark":
            interview.mark(1.0 if ask.depth else [0, 1, 2])
        elif ask.item.kind == "code":
            interview.answer(f"# {EVIL}\nx", 5)
        elif ask.item.kind == "oral":
            interview.answer(EVIL, 5)
        else:
            interview.answer(None, 5)
    page = Text(report_html(interview.state))
    assert not {"script", "img"} & set(page.tags) and sum(EVIL in w for w in page.words) >= 3
    assert "details" in page.tags and "summary" in page.tags


def test_the_report_stands_alone_and_prints():
    interview = session(seed=1)
    play(interview, lambda item: item.kind == "choice")
    page = report_html(interview.state)
    assert (
        "@media print" in page
        and "size: A4" in page
        and "Noto Sans CJK SC" in page
        and "<!doctype html>" in page
    )
    assert not re.search(r"\ssrc=|<link|@import|url\(", page), "the page loads nothing"
    assert page.count("<details>") == page.count("<div class=print>") > 3
    assert "learner's own marks" in page and "own marks)" in page


@pytest.mark.parametrize(
    "base,suffix,expected",
    [
        ("", ".ipynb", "05_vqvae.ipynb#A-first-look"),
        ("../notebooks/", ".html", "../notebooks/05_vqvae.html#A-first-look"),
        (
            None,
            ".ipynb",
            "05_vqvae.ipynb#A-first-look",
        ),
    ],
)
def test_links_into_the_course(base, suffix, expected):
    assert study_link("05_vqvae#A first look", base, suffix) == expected
    interview = session(seed=1)
    play(interview, lambda item: False)
    links = Text(report_html(interview.state, base, suffix)).links
    assert links and all(link.endswith(f"{suffix}#A-heading") for link in links)


def test_text_of_the_bank_becomes_html():
    page = report.rich(
        "A **bold** `<b>` & $\\alpha_t^2$ for $5 and $6.\n\n- one\n\n```python\nx = 1 < 2  # "
        "$y$\n```\n<script>x</script>"
    )
    assert (
        "<strong>bold</strong>" in page
        and "<code>&lt;b&gt;</code>" in page
        and "<script>" not in page
        and "x = 1 &lt; 2  # $y$" in page
    )
    assert "$5 and $6" in page, "dollars that are no formula stay"
    assert "<math" in page or "<code>\\alpha_t^2</code>" in page


def test_a_missing_chinese_font_is_told(monkeypatch):
    interview = session(seed=1, lang="zh")
    play(interview, lambda item: True)
    monkeypatch.setattr(report, "no_chinese_font", lambda: True)
    assert "install a Chinese font" in report_html(interview.state)
    monkeypatch.setattr(report, "no_chinese_font", lambda: False)
    assert "install a Chinese font" not in report_html(interview.state)


def test_an_unfinished_or_empty_session_has_a_report():
    interview = session(seed=1)
    assert "not finished" in report_html(interview.state) and math.isnan(
        summary(interview.state)["overall"]
    )


def by_lines(lines):
    feed = iter(lines)

    def read():
        try:
            return next(feed)
        except StopIteration:
            raise EOFError from None

    return read


def test_the_terminal_holds_an_interview(monkeypatch):
    interview, said, ticks = (
        session(seed=1, minutes=15, items=[i for i in BANK if i.kind != "code"]),
        [],
        iter(range(0, 100000, 30)),
    )

    def read():
        ask = interview.next()
        if ask.stage == "mark":
            return "2" if ask.depth else "all"
        if ask.depth or ask.item.kind == "oral":
            return "words" if not ask.draft and ask.draft != "words" else ""
        return {"choice": "B", "numeric": "392"}[ask.item.kind]

    talk.hold(interview, read, lambda *a: said.append(" ".join(map(str, a))), lambda: next(ticks))
    text = "\n".join(said)
    assert (
        summary(interview.state)["overall"] == 1
        and "Follow-up 1" in text
        and "min left" in text
        and "100%" in text
    )
    turns = interview.state["turns"]
    assert all(t["given"] in ("words", 1, "392") for t in turns) and {
        t["seconds"] for t in turns
    } == {30.0}
    before_marks = text[: text.index("A full answer names")]
    assert "The model answer." not in before_marks and "one" not in re.findall(
        r"\d\. (\w+)", before_marks
    )


def test_the_terminal_asks_again_and_keeps_the_draft():
    interview, said = session(seed=1, keep=keep_session), []
    with pytest.raises(EOFError):
        talk.hold(interview, by_lines(["first line", "second line"]), said.append, lambda: 0.0)
    again = Interview.resume(load_session(), items=BANK, keep=keep_session)
    assert again.next().draft == "first line\nsecond line"
    with pytest.raises(EOFError):
        talk.hold(again, by_lines(["third", "", "9", "x", "1 2"]), said.append, lambda: 0.0)
    assert again.state["turns"][0]["given"] == "first line\nsecond line\nthird" and again.state[
        "turns"
    ][0]["points"] == [0, 1]
    assert sum("is not a point from 1 to 4; once more" in s for s in said) == 2 and any(
        "Kept from before" in s for s in said
    )


def command(*args, text="", **kw):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf8", "PYTHONUTF8": "1"}
    words = [sys.executable, "-m", "mmgen.cli", "interview", *args]
    return subprocess.run(
        words, input=text, capture_output=True, text=True, encoding="utf8", env=env, **kw
    )


def test_the_command_offers_what_there_is():
    from mmgen.cli import parser

    options = {
        a.dest: a.choices
        for a in parser()._subparsers._group_actions[0].choices["interview"]._actions
    }
    assert (
        options["role"] == list(mock.ROLES)
        and options["level"] == list(LEVELS)
        and options["minutes"] == list(mock.SESSIONS)
    )


@pytest.mark.slow
def test_the_command_is_killed_goes_on_and_reports(tmp_path):
    none = command("--resume", cwd=tmp_path)
    assert none.returncode == 1 and "no unfinished interview" in none.stdout
    first = command(
        "--minutes", "15", "--seed", "3", "--lang", "zh", text="我的回答\n", cwd=tmp_path
    )
    assert (
        first.returncode == 0
        and "--resume" in first.stdout
        and "我的回答" == load_session()["pending"]["draft"]
    ), first.stderr
    more = command("--resume", "--report", "out.html", text="\n" * 200, cwd=tmp_path)
    assert more.returncode == 0 and load_session() is None and "\x1b" not in more.stdout, (
        more.stderr
    )
    assert "我的回答" in (tmp_path / "out.html").read_text(encoding="utf8")
    bad = command("--minutes", "20")
    assert bad.returncode == 2 and "invalid choice" in bad.stderr


def room(monkeypatch, **kw):
    pytest.importorskip("ipywidgets")

    def make(resume):
        if not resume:
            return session(keep=keep_session, **kw)
        return Interview.resume(load_session(), items=BANK, keep=keep_session)

    ticks = iter(range(0, 10**6, 20))
    return Room(make, kw.get("lang", "en"), lambda: next(ticks))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_widget_holds_an_interview(lang, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mock, "run_code", lambda id, text: Result("passed"))
    monkeypatch.setattr(
        Room,
        "field",
        lambda self, ask, old=Room.field: (
            old(self, ask) if ask.item.kind != "code" else self.w.Textarea(value="my code")
        ),
    )
    r = room(monkeypatch, lang=lang, seed=1, minutes=15)
    button = r.button
    assert r.other.layout.display == "none" and r.button.layout.display != "none"
    button.click()
    while ask := r.interview.next():
        assert r.button is button and "one" not in r.asked.value.split()
        field = r.inputs.children[-1]
        if ask.stage == "mark" and not ask.depth:
            assert "&lt;script&gt;" in r.asked.value and "<script>" not in r.asked.value
        if ask.stage == "answer":
            field.value = {"choice": 1, "numeric": "392"}.get(
                ask.item.kind if not ask.depth else "oral", EVIL
            )
        elif ask.depth:
            field.value = 1.0
        else:
            for tick in r.inputs.children[1:]:
                tick.value = True
        button.click()
    assert (
        summary(r.interview.state)["overall"] == 1 and "mmgen-report" in r.inputs.children[0].value
    )
    (written,) = tmp_path.glob("interview-*.html")
    assert not {"script", "img"} & set(Text(written.read_text(encoding="utf8")).tags)


def test_the_widget_keeps_what_is_typed_and_says_what_is_wrong(monkeypatch):
    r = room(monkeypatch, seed=1)
    r.button.click()
    r.inputs.children[0].value = "half an ans"
    again = room(monkeypatch, seed=1)
    assert again.other.layout.display == "" and "Go on" in again.other.description
    again.other.click()
    assert again.inputs.children[0].value == "half an ans"
    while again.interview.next().item.kind != "numeric" or again.interview.next().depth:
        again.other.click()
    again.inputs.children[0].value = "<b>many"
    again.button.click()
    assert "is not a number" in again.problem.value and "&lt;b&gt;many" in again.problem.value
    again.other.click()
    assert again.interview.state["turns"][-1]["given"] is None and again.problem.value == ""


ORACLES = {
    "interview.bytes-of-state": lambda n: n * 1e6 * sum(torch_bytes()) / 1e9,
    "interview.next-review": lambda s, r: crossing(
        lambda t: (1 + (0.9**-2 - 1) * t / s) ** -0.5 - r
    ),
}


def torch_bytes():
    "Bytes of one weight, its gradient, and in float32 its copy, two moments and average."
    import torch

    return [
        torch.empty((), dtype=d).element_size()
        for d in (torch.bfloat16,) * 2 + (torch.float32,) * 4
    ]


def crossing(f):
    "Where a falling function is zero, by halving."
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return low


def test_numbers_of_the_interview_questions_have_a_second_route():
    import itertools

    from mmgen.interview.arithmetic import evaluate
    from mmgen.interview.bank import load_questions

    numeric = {q["id"]: q for q in load_questions("interview") if q["kind"] == "numeric"}
    assert set(numeric) == set(ORACLES)
    for id, q in numeric.items():
        for numbers in itertools.product(*q["draw"].values()):
            drawn = dict(zip(q["draw"], numbers))
            assert evaluate(q["value"], drawn) == pytest.approx(ORACLES[id](**drawn), rel=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        dict(id="../../elsewhere"),
        dict(level="<img onerror=x>"),
        dict(seed="<b>"),
        dict(minutes="30<script>"),
        dict(started=1e300),
        dict(turns="none"),
        dict(plan=[{"level": "junior"}]),
        dict(role=None),
    ],
)
def test_a_stored_session_that_is_none_is_left_out(change):
    good = session(keep=keep_session)
    bad = json.loads(json.dumps(good.state)) | dict(id="another") | change
    keep_session(bad)
    assert not kept.is_session(bad)
    assert [s["id"] for s in kept_sessions()] == [good.state["id"]]
    assert load_session()["id"] == good.state["id"]


def test_a_formula_cannot_carry_an_address_or_a_style():
    for tex in (r"\href{javascript:alert(1)}{x}", r"\style{position:fixed}{x}", r"\class{a}{x}"):
        page = report.rich(f"so ${tex}$")
        assert "<a" not in page and "style=" not in page and "href=" not in page
    assert "<math" in report.rich("so $x_t$")


def finished():
    interview = session(keep=keep_session, minutes=15)
    play(interview, lambda item: True)
    return interview


def test_a_report_that_cannot_be_written_is_written_elsewhere(tmp_path, monkeypatch, capsys):
    state = finished().state
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / "file").write_text("")
    assert talk.hand_out(state, tmp_path / "file" / "report.html") == 0
    said = capsys.readouterr().out
    assert "cannot be written" in said and (tmp_path / f"interview-{state['id']}.html").exists()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    assert talk.hand_out(state, tmp_path / "file" / "report.html") == 2
    assert "--resume --report" in capsys.readouterr().out


def test_resume_of_a_finished_session_writes_its_report(tmp_path, capsys):
    finished()
    assert talk.main(None, None, None, "en", 0, True, tmp_path / "again.html") == 0
    assert (tmp_path / "again.html").exists() and "Report:" in capsys.readouterr().out


def test_a_session_that_could_not_be_kept_is_not_called_kept(monkeypatch):
    say = talk.SAY["en"]
    assert talk.parting(say) == say["kept"]
    monkeypatch.setattr("mmgen.exercises.progress.unsaved", lambda: 3)
    assert "was not kept" in talk.parting(say)
