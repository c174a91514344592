"""Where the learner stands, as figures (`standing()`) and as text (`report()`): passed, due, weak,
and what to read again.
"""

from collections import Counter
from dataclasses import dataclass

from ..exercises import progress
from . import memory
from .bank import all_questions

__all__ = ["Standing", "standing", "report"]
TEXT = {
    "en": dict(
        passed="Exercises passed",
        due="Due today: {}. Due within seven days: {}.",
        reviewed="Answers kept: {}.",
        weak="Weakest topics (predicted recall now × mean of the last scores)",
        row="  {:<12} {:>4.0%} × {:>4.0%}   {} items",
        read="      read again: {}, section {}",
        nothing="No question was answered yet: mmgen quiz",
    ),
    "zh": dict(
        passed="已通过的练习",
        due="今天到期：{}。七天内到期：{}。",
        reviewed="已保存的作答：{}。",
        weak="最弱的主题（此刻的预测记忆率 × 最近得分的平均）",
        row="  {:<12} {:>4.0%} × {:>4.0%}   {} 题",
        read="      建议重读：{}，小节 {}",
        nothing="还没有答过题：mmgen quiz --lang zh",
    ),
}


@dataclass(frozen=True)
class Standing:
    "What `mmgen progress` shows."

    passed: dict  # topic -> (passed, all)
    due_today: int
    due_week: int
    answers: int
    weak: tuple  # TopicState, the weakest first
    places: dict  # topic -> the sections "NOTEBOOK#Heading" of the items that were missed


def passed_exercises():
    "Exercises passed and all, by topic. Imports torch."
    from ..exercises import all_exercises

    done = {e for _, e, outcome in progress.history() if outcome == "passed"}
    every, ours = Counter(), Counter()
    for id in all_exercises():
        every[id.split(".")[0]] += 1
        ours[id.split(".")[0]] += id in done
    return {topic: (ours[topic], n) for topic, n in every.items()}


def standing(when=None) -> Standing:
    "The learner's figures at `when` (now)."
    shown, places = {q["id"]: q["shown_in"] for q in all_questions()}, {}
    weak = tuple(memory.weak_topics(when))
    for state in weak:
        places[state.topic] = list(dict.fromkeys(shown[i] for i in state.missed if i in shown))
    return Standing(
        passed_exercises(),
        len(memory.due(when)),
        len(memory.due(when, within_days=7)),
        len(memory.reviews()),
        weak,
        places,
    )


def report(lang="en", when=None, n_weak=5) -> str:
    "The learner's figures as text."
    if lang not in TEXT:
        raise ValueError(f"lang={lang!r}; expected one of {', '.join(TEXT)}")
    say = TEXT[lang]
    lines = [say["passed"]] + [
        f"  {topic:<12} {ours:>3} / {every}" for topic, (ours, every) in passed_exercises().items()
    ]
    try:
        s = standing(when)
    except ImportError as e:
        return "\n".join([*lines, "", str(e)])  # fsrs is not there
    if not s.answers:
        return "\n".join([*lines, "", say["nothing"]])
    lines += [
        "",
        say["due"].format(s.due_today, s.due_week),
        say["reviewed"].format(s.answers),
        "",
        say["weak"],
    ]
    for state in s.weak[:n_weak]:
        lines.append(say["row"].format(state.topic, state.recall, state.share, state.items))
        lines += [say["read"].format(*place.split("#", 1)) for place in s.places[state.topic]]
    return "\n".join(lines)
