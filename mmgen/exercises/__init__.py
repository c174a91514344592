"""Exercises: `check(id, answer)`, `hint(id)`, `solution(id)`, `reset(id)`, `status()`. Works
offline, in any notebook.
"""

import difflib
import importlib
import pkgutil

from . import progress

__all__ = ["check", "hint", "solution", "reset", "status", "exercise", "all_exercises"]
_HELPERS = ("engine", "progress")
_MARK = {"passed": "✓", "wrong": "✗", "not attempted": "·", "error": "!"}


def topics():
    "Names of the exercise modules."
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in _HELPERS)


def all_exercises():
    "Every exercise as a dict of id -> class, in the order of the notebooks' modules."
    from .engine import EXERCISES

    for topic in topics():
        importlib.import_module(f"{__name__}.{topic}")
    return EXERCISES


def exercise(id):
    "The exercise called `id`; an unknown id raises KeyError with the nearest ones."
    from .engine import EXERCISES

    topic = str(id).split(".")[0]
    if topic in topics():
        importlib.import_module(f"{__name__}.{topic}")
    if id not in EXERCISES:
        near = difflib.get_close_matches(str(id), all_exercises(), 3, 0.4)
        raise KeyError(
            f"no exercise is called {id!r}; "
            + (f"near: {', '.join(near)}" if near else f"topics: {', '.join(topics())}")
        )
    return EXERCISES[id]


def check(id, answer=None, keep=True):
    """Judge `answer` for exercise `id`: prints passed, wrong, not attempted or error, and why; the
    attempt is noted unless `keep=False`.
    """
    from .engine import grade

    ex = exercise(id)
    result = grade(ex, answer)
    print(f"{_MARK[result.outcome]} {id}: {result.outcome}")
    if result.message:
        print(result.message)
    if result.outcome == "not attempted":
        return print(f"  edit the cell above and run it again; help: hint({id!r})")
    if keep:
        progress.record(id, result.outcome)
    if result.outcome != "passed":
        print(f"  help: hint({id!r}), then solution({id!r})")


def hint(id, n=None):
    "Print the next hint of exercise `id`, or hint number `n` (from 1)."
    ex = exercise(id)
    seen = sum(outcome == "hint" for _, _, outcome in progress.history(id))
    n = min(seen + 1, len(ex.hints)) if n is None else n
    if not 1 <= n <= len(ex.hints):
        raise ValueError(f"n={n}; {id} has hints 1 to {len(ex.hints)}")
    print(f"Hint {n} of {len(ex.hints)}: {ex.hints[n - 1]}")
    if n > seen:
        progress.record(id, "hint")


def solution(id, give_up=False):
    """Print the reference solution of exercise `id`, once it has been attempted (or with
    `give_up=True`).
    """
    ex = exercise(id)
    tried = any(outcome in ("passed", "wrong", "error") for _, _, outcome in progress.history(id))
    if tried or give_up:
        return print(ex.source())
    print("Try it first: a wrong attempt teaches more than a read solution.")
    print(f"  help: hint({id!r}); to see it all the same: solution({id!r}, give_up=True)")


def reset(id):
    "Forget the attempts at exercise `id` and offer its starter as a new cell."
    ex = exercise(id)
    progress.forget(id)
    try:
        get_ipython().set_next_input(ex.cell())  # noqa: F821 (there in a notebook)
    except NameError:
        print(ex.starter.strip())


def status(topic=None):
    "Print one line per exercise: outcome so far, attempts, difficulty, minutes, title."
    events = progress.history()
    for id, ex in all_exercises().items():
        if topic and not id.startswith(topic + "."):
            continue
        tries = [
            outcome
            for _, e, outcome in events
            if e == id and outcome in ("passed", "wrong", "error")
        ]
        best = "passed" if "passed" in tries else tries[-1] if tries else "not attempted"
        level, title = "●" * ex.difficulty, ex.__doc__.splitlines()[0]
        print(
            f"{_MARK[best]} {id:<36} {best:<14} {len(tries):>2} tries  {level:<5} "
            f"{ex.minutes:>2} min  {title}"
        )
