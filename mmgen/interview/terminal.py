"""A quiz in the terminal, `mmgen quiz`: what is due comes first, then new questions, topics taking
turns; every answer is kept at once.

What is asked and how it is judged is shared with the widget (`choose`, `settle`); only the
talking is here.
"""

import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
import unicodedata
from collections import defaultdict
from functools import partial

from ..exercises import exchange, progress
from . import memory
from .bank import LEVELS, NOTEBOOKS
from .items import ALL_KINDS, Grade, all_items, judge, stable_number

__all__ = ["choose", "settle", "place", "run"]
TEXT = {
    "en": dict(
        speak="Speak for up to {:g} minutes, then press Enter.",
        spoke="({} min {:02d} s)",
        points="A full answer names",
        which="Which points did you name? Numbers, such as 1 3; Enter for none: ",
        option="Your choice (letter), Enter if you do not know: ",
        number="Your answer{}, Enter if you do not know: ",
        answer="Answer",
        weak="A weak candidate says",
        refuted="Why that fails",
        deeper="A follow-up",
        shown="Shown in {}, section {}.",
        again="Not understood: {}",
        letters="{!r}; a letter from A to {} is expected",
        numbers="{!r}; numbers from 1 to {} are expected, such as 1 3",
        dont="no answer",
        score="Score {:.0%}. {}",
        end="{} answered, mean score {:.0%}.",
        none="Nothing was answered.",
        empty="Nothing to ask with these choices.",
        open=(
            "Open it in the notebook nbs/{}.ipynb and run check({!r}, ...), or come back with "
            "--edit."
        ),
        edit="Your file: {}. Enter opens the editor, s skips: ",
        keys="s skips, q or Ctrl-D ends; what you answered is kept.",
        about="{} questions, {} of them due.",
    ),
    "zh": dict(
        speak="请口头回答，最多 {:g} 分钟，说完按回车。",
        spoke="（{} 分 {:02d} 秒）",
        points="完整的回答应包含",
        which="你说到了哪几点？输入编号，如 1 3；都没有就直接回车：",
        option="你的选择（字母），不会就直接回车：",
        number="你的答案{}，不会就直接回车：",
        answer="参考答案",
        weak="常见的弱回答",
        refuted="为什么站不住",
        deeper="追问",
        shown="见 {}，小节 {}。",
        again="没看懂：{}",
        letters="{!r}；请输入 A 到 {} 之间的一个字母",
        numbers="{!r}；请输入 1 到 {} 之间的编号，如 1 3",
        dont="未作答",
        score="得分 {:.0%}。{}",
        end="共回答 {} 题，平均得分 {:.0%}。",
        none="没有作答。",
        empty="没有符合条件的题目。",
        open="在笔记本 nbs/{}.ipynb 里完成并运行 check({!r}, ...)，或加 --edit 再来。",
        edit="你的文件：{}。回车打开编辑器，s 跳过：",
        keys="s 跳过，q 或 Ctrl-D 结束；已答的都会保存。",
        about="共 {} 题，其中 {} 题到期。",
    ),
}


def _take_turns(items):
    "The same items, no topic twice in a row where that can be helped."
    queues = defaultdict(list)
    for item in items:
        queues[item.topic].append(item)
    found, rows = [], list(queues.values())
    while rows:
        found += [row.pop(0) for row in rows]
        rows = [row for row in rows if row]
    return found


def choose(topic=None, level=None, lang="en", kinds=None, n=10, seed=None, when=None):
    """At most `n` items, those due first; the number of due ones. Draws follow from `seed`, by
    default the number of reviews so far.
    """
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n={n!r}; expected a whole number from 1")
    seen = memory.last_scores()
    seed = len(memory.reviews()) if seed is None else seed
    items = {
        i.id: i for i in all_items(topic, level, lang, kinds or ("oral", "choice", "numeric"), seed)
    }
    try:
        due = [items[id] for id in memory.due(when) if id in items]
    except ImportError as e:
        print(e)
        due = []  # without fsrs only new questions are asked
    passed = {e for _, e, outcome in progress.history() if outcome == "passed"}
    new = [i for i in items.values() if i.id not in seen and i.id not in passed]
    new.sort(key=lambda i: (LEVELS.index(i.level), stable_number(i.id, seed)))
    return (_take_turns(due) + _take_turns(new))[:n], min(len(due), n)


def settle(item, given, seconds=None):
    """Judge an answer and keep the review; `None` is no answer. ValueError if it cannot be read:
    nothing is kept then.
    """
    grade = Grade(0.0, TEXT[item.lang]["dont"]) if given is None else judge(item, given)
    memory.remember(item.id, grade.score, item.kind, item.lang, seconds)
    return grade


def place(item):
    "Where the course shows it."
    notebook, _, heading = item.shown_in.partition("#")
    return TEXT[item.lang]["shown"].format(notebook, heading) if heading else ""


class Stop(Exception):
    "The learner ends the session."


class Skip(Exception):
    "The learner passes over an item."


def _colours():
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def bold(text):
    "The text in bold, where the terminal shows it."
    return f"\033[1m{text}\033[0m" if _colours() else text


def wrapped(text, indent=""):
    "Text in lines of the terminal's width; code and Chinese are left to the terminal."
    width, code, lines = min(shutil.get_terminal_size().columns, 110), False, []
    for line in text.replace("**", "").splitlines():
        if line.startswith("```"):
            code = not code
            continue
        whole = code or not line or any(unicodedata.east_asian_width(c) in "WF" for c in line)
        lines += (
            [line]
            if whole
            else textwrap.wrap(
                line, max(width - len(indent), 20), break_long_words=False, break_on_hyphens=False
            )
        )
    return textwrap.indent("\n".join(lines), indent)


def _ask(prompt):
    "One line from the learner."
    try:
        text = input(prompt).strip()
    except (EOFError, KeyboardInterrupt, RuntimeError, ValueError):  # the last two: stdin is closed
        print()
        raise Stop from None
    if not sys.stdin.isatty():
        print(text)  # a piped answer is shown as a typed one
    if text.lower() in ("q", "quit", "exit"):
        raise Stop
    if text.lower() in ("s", "skip"):
        raise Skip
    return text


def _until_understood(item, prompt, read, started):
    "Ask until `read` makes an answer of what is typed and the judge understands it."
    while True:
        text = _ask(prompt)
        try:
            return settle(
                item,
                read(text) if text or item.kind == "oral" else None,
                time.monotonic() - started,
            )
        except ValueError as e:
            print(TEXT[item.lang]["again"].format(e))


def _points(item, text):
    "Indices of the points whose numbers were typed; ValueError, in the item's language, if none."
    words, n = (
        text.replace(",", " ").replace("，", " ").replace("、", " ").split(),
        len(item.rubric),
    )
    if bad := [w for w in words if not w.isdecimal() or not 1 <= int(w) <= n]:
        raise ValueError(TEXT[item.lang]["numbers"].format(bad[0], n))
    return [int(w) - 1 for w in words]


def _letter(item, text):
    "Index of the option whose letter or number was typed; ValueError, in the item's language."
    letters = [chr(ord("A") + i) for i in range(len(item.options))]
    names = letters + [str(i) for i in range(1, len(letters) + 1)]
    if text.upper() not in names:
        raise ValueError(TEXT[item.lang]["letters"].format(text, letters[-1]))
    return names.index(text.upper()) % len(letters)


def _oral(item, started):
    say = TEXT[item.lang]
    _ask(say["speak"].format(item.minutes) + " ")
    spoken = int(time.monotonic() - started)
    print(say["spoke"].format(spoken // 60, spoken % 60) + "\n" + bold(say["points"]))
    for i, point in enumerate(item.rubric, 1):
        print(wrapped(f"{i}. {point}", "  "))
    return _until_understood(item, say["which"], partial(_points, item), started)


def _choice(item, started):
    for i, option in enumerate(item.options):
        print(wrapped(f"{chr(65 + i)}. {option}", "  "))
    return _until_understood(item, TEXT[item.lang]["option"], partial(_letter, item), started)


def _number(item, started):
    return _until_understood(
        item, TEXT[item.lang]["number"].format(f" ({item.unit})" if item.unit else ""), str, started
    )


def solution_file(item):
    """The learner's own file for an exercise, beside the progress file; begun with the task and the
    starter.
    """
    from ..exercises import exercise

    path, ex = progress.progress_file().parent / "exercises" / f"{item.id}.py", exercise(item.id)
    task = textwrap.indent(ex.task.strip(), "# ", lambda line: True)
    if not path.exists():
        exchange.write_text(path, f"{task}\n{ex.starter.strip()}\n")
    return path


def check_file(item, path):
    "Judge what a file defines as an answer to the exercise."
    from ..exercises import engine, exercise

    ex = exercise(item.id)
    scope = dict(vars(sys.modules[ex.__module__]))
    try:
        exec(compile(path.read_text(encoding="utf8"), str(path), "exec"), scope)
    except Exception as e:
        return engine.Result(engine.ERROR, f"  {type(e).__name__}: {e}")
    return engine.grade(ex, scope.get(ex.name()))


def _code(item, started, edit=False):
    say = TEXT[item.lang]
    if not edit:
        print(say["open"].format(NOTEBOOKS.get(item.topic, item.topic), item.id))
        raise Skip
    path, editor = (
        solution_file(item),
        os.environ.get("VISUAL")
        or os.environ.get("EDITOR")
        or ("notepad" if os.name == "nt" else "vi"),
    )
    grade = None
    while grade is None or grade.score < 1:
        try:
            _ask(say["edit"].format(path))
        except (Skip, Stop):
            if grade:
                memory.remember(item.id, grade.score, "code", item.lang, time.monotonic() - started)
            raise
        try:
            subprocess.run([*shlex.split(editor), str(path)])
        except OSError as e:
            print(say["again"].format(f"EDITOR={editor}: {e}"))
            raise Skip from None
        result = check_file(item, path)
        print(f"{result.outcome}\n{result.message}".rstrip())
        if result.outcome == "not attempted":
            continue
        progress.record(item.id, result.outcome)
        grade = judge(item, result)
    memory.remember(item.id, 1.0, "code", item.lang, time.monotonic() - started)
    return grade


def _after(item, grade):
    "What the learner is told once an item is answered."
    say = TEXT[item.lang]
    print(bold(say["score"].format(grade.score, grade.message)))
    for title, text in (
        (say["answer"], item.answer),
        (say["weak"], item.weak),
        (say["refuted"], item.refuted),
    ):
        if text and not (item.kind == "code" and title == say["answer"]):
            print(f"\n{bold(title)}\n{wrapped(text, '  ')}")
    if grade.score >= memory.HARD and item.follow_ups:
        print(f"\n{bold(say['deeper'])}\n{wrapped(item.follow_ups[0], '  ')}")
    if item.shown_in:
        print(f"\n{place(item)}")


def run(topic=None, level=None, lang="en", kinds=None, n=10, seed=None, edit=False):
    "One session in the terminal; returns the grades, in order."
    items, due = choose(topic, level, lang, kinds or (ALL_KINDS if edit else None), n, seed)
    say, grades = TEXT[lang], []
    if not items:
        print(say["empty"])
        return []
    print(say["about"].format(len(items), due), say["keys"])
    ask = {
        "oral": _oral,
        "choice": _choice,
        "numeric": _number,
        "code": lambda item, started: _code(item, started, edit),
    }
    for number, item in enumerate(items, 1):
        print(
            f"\n{bold(f'{number}/{len(items)} · {item.topic} · {item.level}')}\n\n"
            f"{wrapped(item.text)}\n"
        )
        try:
            grades.append(ask[item.kind](item, time.monotonic()))
            _after(item, grades[-1])
        except Skip:
            continue
        except (Stop, KeyboardInterrupt):
            break
    print(
        "\n"
        + (
            say["end"].format(len(grades), sum(g.score for g in grades) / len(grades))
            if grades
            else say["none"]
        )
    )
    return grades
