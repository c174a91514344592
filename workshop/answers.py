"""Answers as learners type them, put before the exercises' checkers: `python -m workshop mutants
--answers FILE`.

A file of answers is Python in sections. Three comment lines at the left margin head them:

    # exercise: quantizer.nearest
    # right: the square expanded
    def nearest(z, codebook): ...
    # wrong: max norm
    def nearest(z, codebook): ...

What stands above the first of them, imports for instance, is run before every answer. Each answer
is run by itself, in the process that `workshop/mutation.py` gives to its exercise, under the same
limits. A right answer must pass; a wrong one must be refused with a message.
"""

import ast
import collections
import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from mmgen.exercises.engine import EMPTY, ERROR, PASSED

from .mutants import Mutant, unchanged
from .mutation import MEMORY, MutationError, pick, run

HEADER = re.compile(r"# ?(exercise|right|wrong): *(.*)$")
LIKE = re.compile(r"# ?(\w+):")
FRAME = re.compile(r"^  line \d+, in \w+: (.*)$", re.M)


@dataclass(frozen=True)
class Answer:
    """One answer of a file: to which exercise, whether it is right, what its header says of it,
    where it stands, and the whole source that is run.
    """

    exercise: str
    right: bool
    title: str
    place: str  # "quantizer.py:12"
    source: str


@dataclass(frozen=True)
class Judgement:
    "What the checker said of an answer: an outcome of the engine, or 'late' or 'died'."

    answer: Answer
    outcome: str
    message: str = ""

    @property
    def fault(self):
        "What is wrong with the judgement; '' where the answer is judged as its header says."
        if self.answer.right:
            return "" if self.outcome == PASSED else f"right, but {self.outcome}"
        if self.outcome == PASSED:
            return "wrong, but passed"
        if self.outcome == EMPTY:
            return "wrong, but called not attempted"
        frames = FRAME.findall(self.message) if self.outcome == ERROR else []
        if frames and not any(line in self.answer.source for line in frames):
            return "wrong, and the checker itself stopped"
        return "" if self.message.strip() else "wrong, but refused without a message"


def _sections(lines, name):
    "(line number, word, text) of every header; one that is misspelt is an error."
    for number, line in enumerate(lines, 1):
        found = HEADER.match(line)
        if found:
            if not found[2].strip():
                raise MutationError(f"{name}:{number}: {found[1]}: says nothing")
            yield number, found[1], found[2].strip()
        elif (like := LIKE.match(line)) and difflib.get_close_matches(
            like[1].lower(), ["exercise", "right", "wrong"], 1, 0.75
        ):
            raise MutationError(
                f"{name}:{number}: {line.strip()!r}; expected # exercise: ID, # right: TITLE or "
                "# wrong: TITLE"
            )


def _exercise(id, exercises, place):
    if id not in exercises:
        near = difflib.get_close_matches(id, exercises, 1, 0.3)
        raise MutationError(f"{place}: no exercise {id!r}" + (f"; near: {near[0]}" if near else ""))
    return exercises[id]


def _checked(answer, exercise, number, name):
    "Refuse what is no Python, and what does not define below its header the name asked for."
    try:
        tree = ast.parse(answer.source)
    except SyntaxError as e:
        raise MutationError(f"{name}:{e.lineno}: {e.msg}") from e
    body = [n for n in tree.body if n.lineno > number]
    defined = {n.name for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    for n in body:
        targets = n.targets if isinstance(n, ast.Assign) else [getattr(n, "target", None)]
        defined |= {v.id for t in targets if t for v in ast.walk(t) if isinstance(v, ast.Name)}
    if exercise.name() not in defined:
        raise MutationError(
            f"{answer.place}: the answer to {exercise.id} does not define {exercise.name()}"
        )
    return answer


def read(file):
    """The answers of a file, in its order; a broken file raises MutationError with name and line.

    The source of an answer keeps its lines where they stand in the file, so that an error names
    the line that the author sees.
    """
    file = Path(file)
    exercises = {e.id: e for e in pick(())}
    try:
        lines = file.read_text(encoding="utf8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise MutationError(f"{file}: not readable: {e}") from e
    heads = [*_sections(lines, file.name), (len(lines) + 1, "", "")]
    begin = lines[: heads[0][0] - 1]
    out = []
    places = {}
    exercise = None
    for (number, word, text), (after, *_) in zip(heads, heads[1:]):
        place = f"{file.name}:{number}"
        body = lines[number : after - 1]
        if word == "exercise":
            exercise = _exercise(text, exercises, place)
            begin, common = lines[: heads[0][0] - 1], [""] * (number - heads[0][0] + 1) + body
            begin = begin + common if any(v.strip() for v in body) else begin
            continue
        if exercise is None:
            raise MutationError(f"{place}: no line '# exercise: ID' stands before it")
        if not any(v.strip() and not v.startswith("#") for v in body):
            raise MutationError(f"{place}: no code follows")
        key = exercise.id, text
        if key in places:
            raise MutationError(f"{place}: {text!r} stands already in line {places[key]}")
        places[key] = number
        source = "\n".join([*begin, *[""] * (number - len(begin)), *body]) + "\n"
        answer = Answer(exercise.id, word == "right", text, place, source)
        out.append(_checked(answer, exercise, number, file.name))
    if not out:
        raise MutationError(f"{file.name}: holds no answer")
    return out


def files(place):
    "The files of answers that a path names: itself, or every one of a folder, in order."
    place = Path(place)
    found = sorted(place.glob("*.py")) if place.is_dir() else [place]
    if not found or not place.exists():
        raise MutationError(f"{place}: no file of answers")
    return found


def judge(answers, memory=MEMORY):
    "Judgements on answers, in their order. Each exercise is run in a process of its own."
    exercises = {e.id: e for e in pick(())}
    by_exercise = collections.defaultdict(list)
    for answer in answers:
        by_exercise[answer.exercise].append(answer)
    found = {}
    for id, group in by_exercise.items():
        exercise = exercises[id]
        chosen = [Mutant(id, exercise.name(), "", a.place, a.source) for a in group]
        verdicts = run(exercise, [unchanged(exercise)], chosen, memory)
        found |= {a.place: Judgement(a, *v) for a, v in zip(group, verdicts)}
    return [found[a.place] for a in answers]


def table(judgements):
    "A Markdown table of confusion with one line per exercise."
    head = "exercise", "right passed", "right refused", "wrong refused", "wrong passed", "otherwise"
    rows = [head, ("---",) * len(head)]
    for id in [*dict.fromkeys(j.answer.exercise for j in judgements), "all"]:
        part = [j for j in judgements if id in ("all", j.answer.exercise)]
        right = [j for j in part if j.answer.right]
        wrong = [j for j in part if not j.answer.right]
        passed = sum(j.outcome == PASSED for j in wrong)
        held = sum(not j.fault for j in wrong)
        good = sum(not j.fault for j in right)
        rows.append((id, good, len(right) - good, held, passed, len(wrong) - held - passed))
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def main(place, names=()):
    "Judge a file or a folder of answers and print the table; 1 where an answer is judged wrongly."
    chosen = {e.id for e in pick(names)}
    judgements = [
        j for file in files(place) for j in judge([a for a in read(file) if a.exercise in chosen])
    ]
    for j in judgements:
        if j.fault:
            print(f"{j.answer.place}: {j.answer.exercise}: {j.answer.title}: {j.fault}")
            print(j.message.rstrip() + "\n" if j.message else "", end="")
    print(table(judgements))
    return int(any(j.fault for j in judgements))
