"""The mock interview in the terminal: `hold(interview)`. As a widget it is in `room.py`."""

import re
import tempfile
import time
from pathlib import Path

from .kept import keep_session, kept_sessions, load_session
from .mock import Interview
from .report import write_report
from .summary import summary
from .terminal import bold, wrapped

__all__ = ["SAY", "begin", "head_of", "hold", "main"]
LETTERS = "ABCDEFGH"
_SAY = {
    "head": (
        "Question {number} of {of} · {why} · {topic} · {level} · {kind}",
        "第 {number} 题，共 {of} 题 · {why} · {topic} · {level} · {kind}",
    ),
    "clock": (
        "{minutes:g} min for this one; {left:.0f} min left",
        "本题 {minutes:g} 分钟；还剩 {left:.0f} 分钟",
    ),
    "opening": ("opening", "开场"),
    "planned": ("planned", "计划内"),
    "easier": ("an easier one", "降低难度"),
    "oral": ("spoken", "口述"),
    "choice": ("choice", "选择"),
    "numeric": ("number", "数值"),
    "code": ("code", "代码"),
    "spoken": (
        "Speak, then type or dictate what you said; an empty line ends the answer, ? means 'I "
        "do not know'.",
        "先口头回答，再打字或听写下来；空行结束，? 表示“不知道”。",
    ),
    "options": (
        "Letter of your choice; an empty line means 'I do not know'.",
        "输入选项字母；空行表示“不知道”。",
    ),
    "number": ("Number; an empty line means 'I do not know'.", "输入数值；空行表示“不知道”。"),
    "coded": (
        "Name of a file with your solution, or paste it here and end with a line that holds "
        "only a dot; an empty line "
        "skips it.",
        "输入答案文件名，或把代码粘贴在这里，以只含一个句点的一行结束；空行跳过。",
    ),
    "points": (
        "A full answer names the points below. Which did you name? Numbers such as 1 3, 'all', "
        "or an empty line for none. "
        "Be strict.",
        "完整的回答应包含下列要点。你提到了哪些？输入编号如 1 3，或 all，空行表示都没有。请从严。",
    ),
    "follow": (
        "How well did you answer? 2 well, 1 partly, 0 not.",
        "答得怎样？2 好，1 一部分，0 没答上。",
    ),
    "grade": ("{:.0%} for this one", "本题 {:.0%}"),
    "over": (
        "{:.0f} s over time: the score fell from {:.0%} to {:.0%}",
        "超时 {:.0f} 秒：得分从 {:.0%} 降到 {:.0%}",
    ),
    "kept": (
        "\nThe session is kept; go on with: mmgen interview --resume",
        "\n面试已保存，继续请运行：mmgen interview --resume",
    ),
    "lost": (
        "\nThe session was not kept: {} cannot be written. MMGEN_HOME names another folder.",
        "\n面试没有保存：无法写入 {}。可用 MMGEN_HOME 指定另一个文件夹。",
    ),
    "elsewhere": ("{} cannot be written ({}).", "无法写入 {}（{}）。"),
    "later": (
        "The report is written by: mmgen interview --resume --report FILE",
        "稍后可用 mmgen interview --resume --report 文件 写出报告。",
    ),
    "done": (
        "The interview is over: {:.0%} of {} planned questions.",
        "面试结束：计划内 {1} 题，得分 {0:.0%}。",
    ),
    "saved": ("Report: {}", "报告：{}"),
    "bad": ("{}; once more", "{}；请重新输入"),
    "draft": ("Kept from before the interruption:", "中断之前写下的内容："),
    "nothing": (
        "no unfinished interview is kept; begin one with: mmgen interview",
        "没有未完成的面试；开始请运行：mmgen interview",
    ),
    "keys": (
        "q or Ctrl-D ends the session for now; everything so far is kept.",
        "q 或 Ctrl-D 暂停；到此为止的内容都会保存。",
    ),
    "deeper": ("Follow-up {}", "追问 {}"),
    "own": ("The marks of spoken answers are your own.", "口述题的分数是你自己打的。"),
    "answer": ("Your answer", "你的回答"),
    "send": ("Answer", "提交"),
    "skip": ("I do not know", "不知道"),
    "marked": ("Mark", "打分"),
    "again": ("Another interview", "再来一次"),
    "static": (
        "A mock interview of {} minutes; in a terminal: mmgen interview",
        "{} 分钟的模拟面试；在终端里：mmgen interview --lang zh",
    ),
    "start": ("Begin the interview", "开始面试"),
    "resume": ("Go on with the kept one", "继续上次的面试"),
    "strict": ("Tick only what you named.", "只勾选你确实提到的要点。"),
    "model": ("Model answer", "参考答案"),
}
SAY = {lang: {k: pair[i] for k, pair in _SAY.items()} for i, lang in enumerate(("en", "zh"))}


def begin(role="research engineer", level="junior", minutes=30, lang="en", seed=0, resume=False):
    """A new session, or the kept one (None if there is none), stored after every step and counted
    for the spaced repetition.
    """
    from ..exercises.progress import record
    from .memory import remember, weak_topics

    def note(item, score, seconds, outcome):
        if outcome in ("passed", "wrong", "error"):
            record(item.id, outcome)
        if outcome != "not attempted":
            remember(item.id, score, item.kind, item.lang, seconds)

    def weak():
        try:
            return {t.topic: 1 - t.strength for t in weak_topics()}
        except ImportError:
            return {}  # without fsrs nothing is known of what was forgotten

    if resume:
        state = load_session()
        return state and Interview.resume(state, keep=keep_session, remember=note)
    return Interview(
        role, level, minutes, lang, seed, weak=weak(), keep=keep_session, remember=note
    )


def _lines(ask, interview, read, end=""):
    "Lines until `end`; each is kept as a draft, so that a killed session has them."
    lines = ask.draft.splitlines()
    while (line := read()).rstrip("\n") != end:
        lines.append(line)
        interview.draft("\n".join(lines))
        if lines == ["?"]:
            break
    return "\n".join(lines)


def _given(ask, interview, read, say, write):
    "What the learner answers to `ask`, in the form that `Interview.answer` takes."
    kind = "oral" if ask.why == "follow-up" else ask.item.kind
    write(
        dict(oral=say["spoken"], choice=say["options"], numeric=say["number"], code=say["coded"])[
            kind
        ]
    )
    if kind == "oral":
        if ask.draft:
            write(f"{say['draft']}\n{ask.draft}")
        text = _lines(ask, interview, read)
        return None if text.strip() in ("?", "？") else text
    if kind == "code":
        return _code(ask, interview, read)
    text = read().strip()
    if not text or text in ("?", "？"):
        return None
    if kind == "numeric":
        return text
    letters = LETTERS[: len(ask.item.options)]
    if text.upper() not in tuple(letters):
        raise ValueError(f"{text!r} is not a letter from A to {letters[-1]}")
    return letters.index(text.upper())


def _code(ask, interview, read):
    "The text of a solution: from the file that is named, or pasted until a lone dot."
    from pathlib import Path

    first = read()
    if not first.strip():
        return None
    if re.fullmatch(r"[^\n]+\.py", first.strip()):
        try:
            return Path(first.strip()).expanduser().read_text(encoding="utf8")
        except (OSError, UnicodeDecodeError) as e:
            raise ValueError(f"{first.strip()} cannot be read: {e}") from e
    return first + "\n" + _lines(ask, interview, read, ".")


def _points(ask, read, say, write):
    "The learner's marks."
    if ask.why == "follow-up":
        write(say["follow"])
        text = read().strip() or "0"
        if text not in ("0", "1", "2"):
            raise ValueError(f"{text!r} is not 0, 1 or 2")
        return int(text) / 2
    write(
        "\n".join(
            [say["points"], *(wrapped(f"{n}. {p}", "  ") for n, p in enumerate(ask.item.rubric, 1))]
        )
    )
    text = read().strip().lower()
    if text in ("all", "全部"):
        return list(range(len(ask.item.rubric)))
    numbers = re.split(r"[\s,，、]+", text) if text and text not in ("none", "无") else []
    if bad := [n for n in numbers if not n.isdecimal() or not 1 <= int(n) <= len(ask.item.rubric)]:
        raise ValueError(f"{bad[0]!r} is not a point from 1 to {len(ask.item.rubric)}")
    return [int(n) - 1 for n in numbers]


def head_of(ask, say):
    "What is asked, and the clock, as two lines."
    where = dict(
        number=ask.number,
        of=ask.of,
        topic=ask.item.topic,
        level=ask.item.level,
        kind=say["oral" if ask.depth else ask.item.kind],
        why=say["deeper"].format(ask.depth) if ask.depth else say[ask.why],
    )
    return say["head"].format(**where), say["clock"].format(
        minutes=ask.minutes, left=max(0, ask.left)
    )


def _show(ask, say, write):
    "The question with its clock."
    head, clock = head_of(ask, say)
    write(f"\n{bold(head)}\n{clock}\n")
    write(wrapped(ask.text))
    if not ask.depth and ask.item.options:
        write(
            "\n".join(
                wrapped(f"{letter}. {o}", "  ") for letter, o in zip(LETTERS, ask.item.options)
            )
        )


def _until_valid(step, say, write):
    "Ask again until the input is one that can be taken."
    while True:
        try:
            return step()
        except ValueError as e:
            write(say["bad"].format(e))


def hold(interview, read=input, write=print, clock=time.monotonic):
    """Hold the interview over lines of text; EOFError and KeyboardInterrupt of `read` leave a
    session that can go on.
    """
    say = SAY[interview.state["lang"]]
    while ask := interview.next():
        if ask.stage == "answer":
            _show(ask, say, write)
            start = clock()

            def take(ask=ask, start=start):
                return interview.answer(_given(ask, interview, read, say, write), clock() - start)

            grade = _until_valid(take, say, write)
        else:
            grade = _until_valid(
                lambda ask=ask: interview.mark(_points(ask, read, say, write)), say, write
            )
        if grade is None:
            continue
        turn = interview.state["turns"][-1]
        write(
            "  "
            + say["grade"].format(turn["raw"])
            + (f"\n{turn['message']}" if turn["message"] and not ask.depth else "")
        )
        if turn["score"] < turn["raw"]:
            write(
                "  "
                + say["over"].format(
                    turn["seconds"] - turn["minutes"] * 60, turn["raw"], turn["score"]
                )
            )
        if ask.why != "follow-up":
            write(f"\n{bold(say['model'])}\n{wrapped(turn['item']['answer'], '  ')}")
    s = summary(interview.state)
    write("\n" + say["done"].format(s["overall"], s["answered"]) + " " + say["own"])


def main(role, level, minutes, lang, seed, resume, report) -> int:
    "The command `mmgen interview`."
    interview = begin(role, level, minutes, lang, seed, resume)
    if not interview:
        print(SAY[lang]["nothing"])
        finished = [s for s in kept_sessions() if s["finished"] is not None]
        return hand_out(finished[-1], report) if finished else 1
    say = SAY[interview.state["lang"]]

    def read():
        line = input("> ")
        if line.strip().lower() == "q":
            raise EOFError
        return line

    print(say["keys"])
    try:
        hold(interview, read)
    except EOFError:
        print(parting(say))
        return 0
    except KeyboardInterrupt:
        print(parting(say))
        return 130
    return hand_out(interview.state, report)


def parting(say) -> str:
    "What is said when a session ends for now: that it is kept, or that it could not be."
    from ..exercises.progress import progress_file, unsaved

    return say["lost"].format(progress_file()) if unsaved() else say["kept"]


def hand_out(state, report=None) -> int:
    """Write the report of a finished session and say where; where that fails, among the temporary
    files. The exit code: 0, or 2 if it could be written nowhere.
    """
    say, name = SAY[state["lang"]], f"interview-{state['id']}.html"
    for path in (Path(report or name), Path(tempfile.gettempdir()) / name):
        try:
            print(say["saved"].format(write_report(state, path)))
            return 0
        except OSError as e:
            print(say["elsewhere"].format(path, e.strerror or e))
    print(say["later"])
    return 2
