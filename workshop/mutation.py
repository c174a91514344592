"""How much a checker sees: every mutant of a reference is put before the exercise's own checker,
and must not pass.

Mutants that do the same as the reference, or fulfil the task as well, are listed by hand in
`data/mutants.yaml`, each with its reason; to the exercise both are equivalent. The score of a
topic is killed / (mutants - equivalent). Each exercise is run in a process of its own, with
limits on processor time and memory.
"""

import collections
import contextlib
import multiprocessing
import os
import random
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mmgen.exercises.engine import PASSED, Result, grade

from .mutants import Mutant, build, mutants, unchanged

TARGET = 0.97  # share of the mutants of a topic that its checkers must kill
MEMORY = 4 << 30  # bytes that a mutant may take beyond what the process has
LATE, DIED = (
    "late",
    "died",
)  # outcomes beside the engine's: over its processor time; the process ended


class MutationError(ValueError):
    "A wrong entry in the list of equivalent mutants, or a reference that does not pass unchanged."


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant: the outcome (the engine's, or 'late' or 'died') and the checker's
    message.
    """

    mutant: Mutant
    outcome: str
    message: str = ""
    equivalent: str = ""  # the reason, where it is listed as equivalent

    @property
    def killed(self):
        "Did the checker tell it from the reference?"
        return self.outcome != PASSED


def _limit_memory(extra):
    """Refuse allocations beyond `extra` bytes more than now; without effect where the system has no
    such limit.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + extra,) * 2)


def _judge(exercise, mutant):
    """The engine's result, without its limit in seconds of the clock: a busy machine must not kill
    a mutant.
    """
    try:
        solution = build(exercise, mutant)
    except Exception as e:
        return Result("error", f"{type(e).__name__}: {e}")
    limit, exercise.seconds = exercise.seconds, 1e6
    try:
        return grade(exercise, solution)
    finally:
        exercise.seconds = limit


def _worker(pipe, exercise, todo, memory, folder):
    """In the process of one exercise: judge the mutants `todo`, a list of (number, mutant), and
    send (number, outcome, message).
    """
    import torch

    torch.set_num_threads(1)
    _limit_memory(memory)
    os.chdir(folder)
    lock, now, limit = threading.Lock(), {}, exercise.seconds

    def watch():
        while True:
            time.sleep(0.05)
            with lock:
                if now and time.process_time() > now["end"]:
                    pipe.send((now["number"], LATE, f"over {limit:g} s of processor time"))
                    os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    for number, mutant in todo:
        with lock:
            now.update(number=number, end=time.process_time() + limit)
        result = _judge(exercise, mutant)
        with lock:
            now.clear()
            pipe.send((number, result.outcome, result.message))
    pipe.close()
    os._exit(0)


def _context():
    """Processes forked from a clean one that has the exercises imported; elsewhere each imports
    them itself.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    from mmgen.exercises import topics

    context.set_forkserver_preload(
        [__name__, "torch._dynamo", *(f"{__package__}.{t}" for t in topics())]
    )  # optimizers import dynamo
    return context


def _ask(exercise, todo, memory, wait):
    """Answers of one process about the first mutants of `todo`, until it has judged all, or dies,
    or says nothing for `wait` seconds.
    """
    out = []
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = multiprocessing.Pipe(False)
        process = _context().Process(
            target=_worker, args=(theirs, exercise, todo, memory, folder), daemon=True
        )
        process.start()
        theirs.close()
        try:
            while len(out) < len(todo) and (not out or out[-1][1] != LATE):
                if ours.poll(wait):
                    out.append(ours.recv())
                else:
                    out.append((todo[len(out)][0], LATE, f"nothing heard for {wait:g} s"))
        except (EOFError, OSError):
            out.append((todo[len(out)][0], DIED, "its process ended"))
        finally:
            process.kill()
            process.join()
            ours.close()
    return out


def run(exercise, control, chosen, memory=MEMORY, wait=None):
    """(outcome, message) of each of `chosen`, objects that `build` makes a solution of. Those of
    `control` are judged first and last and must pass.
    """
    todo = list(enumerate([*control, *chosen, *control]))
    results = {}
    while len(results) < len(todo):
        answers = _ask(
            exercise, todo[len(results) :], memory, wait or max(30.0, 60 * exercise.seconds)
        )
        results |= {n: (outcome, message) for n, outcome, message in answers}
        n, m = todo[len(results) - 1]
        if m in control and results[n][0] != PASSED:
            when = "before" if n < len(control) else "after"
            raise MutationError(
                f"{exercise.id}: {m.solution} does not pass {when} its mutants are judged: "
                f"{results[n]}"
            )
    return [results[n] for n, _ in todo[len(control) : len(todo) - len(control)]]


def judge(exercise, chosen, memory=MEMORY, wait=None):
    """Verdicts on the mutants `chosen` of an Exercise class. Its references are judged first and
    last and must pass unchanged.
    """
    control = [unchanged(exercise, s) for s in dict.fromkeys(m.solution for m in chosen)]
    found = run(exercise, control, chosen, memory, wait)
    return [Verdict(m, *result) for m, result in zip(chosen, found)]


def equivalents(file=None):
    """The list of equivalent mutants as a dict of key -> reason; a broken entry raises
    MutationError with its place.
    """
    import yaml

    from mmgen.core import data_path

    file = Path(file or data_path("mutants.yaml"))
    try:
        topics = yaml.safe_load(file.read_text(encoding="utf8")) or {}
    except yaml.YAMLError as e:
        raise MutationError(f"{file.name}: not readable as YAML: {e}") from e
    out, fields = {}, {"line", "mutants", "reason", "solution"}
    for id, entries in topics.items():
        for entry in entries:
            place = f"{file.name}: {id}: {str(entry.get('line'))[:60]!r}"
            bad = [f"{f}: is missing" for f in sorted(fields - {"solution"} - set(entry))]
            bad += [f"{f}: is not a field" for f in sorted(set(entry) - fields)]
            if not bad and len(str(entry["reason"]).split()) < 4:
                bad = [
                    f"reason: {entry['reason']!r} says nothing; expected why the two cannot be "
                    "told apart"
                ]
            if bad:
                raise MutationError(f"{place}: {'; '.join(bad)}")
            for change in entry["mutants"]:
                key = id, entry.get("solution", "reference"), entry["line"], change
                if key in out:
                    raise MutationError(f"{place}: {change}: stands twice")
                out[key] = " ".join(entry["reason"].split())
    return out


def stale(reasons, exercises):
    "Keys of the list `reasons` that name no mutant of `exercises` (id -> class) any more."
    named = sorted({id for id, *_ in reasons if id in exercises})
    made = {m.key for id in named for m in mutants(exercises[id], every=True)}
    return sorted(set(reasons) - made)


def survey(exercises, sample=None, seed=0, jobs=1, every=False, reasons=None, on_verdict=None):
    """Verdicts on the mutants of `exercises`, a list of classes: all, or `sample` of those not
    listed in `reasons`, drawn with `seed`.
    """
    reasons = equivalents() if reasons is None else reasons
    chosen = [m for ex in exercises for m in mutants(ex, every)]
    if sample is not None:
        pool = [m for m in chosen if m.key not in reasons]
        chosen = [
            pool[i]
            for i in sorted(random.Random(seed).sample(range(len(pool)), min(sample, len(pool))))
        ]
    of = collections.defaultdict(list)
    for m in chosen:
        of[m.exercise].append(m)

    def work(ex):
        found = [
            Verdict(v.mutant, v.outcome, v.message, reasons.get(v.mutant.key, ""))
            for v in judge(ex, of[ex.id])
        ]
        if on_verdict:
            on_verdict(ex, found)
        return found

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        return [v for found in pool.map(work, [ex for ex in exercises if of[ex.id]]) for v in found]


def score(verdicts):
    "killed / (mutants - equivalent); 1 where nothing is left."
    real = [v for v in verdicts if not v.equivalent]
    return sum(v.killed for v in real) / len(real) if real else 1.0


def wrongly_listed(verdicts):
    "Verdicts on mutants that are listed as equivalent though the checker tells them apart."
    return [v for v in verdicts if v.equivalent and v.killed]


def table(verdicts):
    "A Markdown table with one line per topic: how the mutants ended, and the score."
    head = (
        "topic",
        "exercises",
        "mutants",
        "do the same",
        "also right",
        "killed",
        "by a refusal",
        "by an error",
        "over the limit",
        "survive",
        "score",
    )
    topics = list(dict.fromkeys(v.mutant.exercise.split(".")[0] for v in verdicts))
    rows = [head, ("---",) * len(head)]
    for topic in [*topics, "all"]:
        part = [v for v in verdicts if topic in ("all", v.mutant.exercise.split(".")[0])]
        real = [v for v in part if not v.equivalent]
        ends = collections.Counter(v.outcome for v in real)
        exercises = len({v.mutant.exercise for v in part})
        refused, errors, late = (
            ends["wrong"] + ends["not attempted"],
            ends["error"],
            ends[LATE] + ends[DIED],
        )
        also = sum(v.equivalent.startswith("Also right") for v in part)
        rows.append(
            (
                topic,
                exercises,
                len(part),
                len(part) - len(real) - also,
                also,
                refused + errors + late,
                refused,
                errors,
                late,
                ends[PASSED],
                f"{100 * score(part):.1f} %",
            )
        )
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def pick(names):
    """Exercise classes by topic or id, all where `names` is empty; an unknown name raises KeyError
    with the nearest.
    """
    from mmgen.exercises import all_exercises, exercise, topics

    every = all_exercises()
    if not names:
        return list(every.values())
    for name in names:
        if name not in topics():
            exercise(name)
    return [ex for id, ex in every.items() if id in names or id.split(".")[0] in names]


def record(verdicts, file):
    "Write the table of a full run to `file`, whole or not at all."
    import platform

    import torch

    text = f"""# Mutants of the reference solutions, put before the exercises' checkers

Written by `python3 course.py mutants --record`; `workshop/mutants.py` says what each operator
changes, `data/mutants.yaml` which mutants do the same as the reference or fulfil the task as
well, and why. Score = killed / (the rest). Python {platform.python_version()}, torch
{torch.__version__}.

{table(verdicts)}
"""
    beside = Path(file).with_suffix(".tmp")
    beside.write_text(text, encoding="utf8", newline="\n")
    os.replace(beside, file)


def _show(verdict):
    m = verdict.mutant
    print(f"{m.exercise} ({m.solution}): {m.line}\n    {m.change}", flush=True)


def main(names=(), sample=None, seed=0, survivors=False, jobs=1, every=False, keep=False):
    """Run the mutants of the exercises `names` and print the table; 1 where a topic misses the
    target or the list is wrong.
    """
    exercises, reasons = pick(names), equivalents()
    gone = [k for k in stale(reasons, {e.id: e for e in pick(())})]
    for key in gone:
        print("data/mutants.yaml: names no mutant: " + " | ".join(key))

    def told(ex, found):
        for v in found:
            if survivors and not v.killed and not v.equivalent:
                _show(v)

    verdicts = survey(exercises, sample, seed, jobs, every, reasons, told)
    for v in wrongly_listed(verdicts):
        print("data/mutants.yaml: listed as equivalent, but killed:")
        _show(v)
    print(table(verdicts))
    if keep:
        from .repo import find_root

        record(verdicts, find_root() / "benchmarks" / "results" / "mutants.md")
    by_topic = collections.defaultdict(list)
    for v in verdicts:
        by_topic[v.mutant.exercise.split(".")[0]].append(v)
    return int(
        bool(gone or wrongly_listed(verdicts))
        or min(map(score, by_topic.values()), default=1.0) < TARGET
    )
