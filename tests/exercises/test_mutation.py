"""Mutants of the reference solutions: what each operator makes, how they are judged, and that the
checkers kill them.
"""

import ast
import gc
import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from mmgen.exercises import all_exercises, check, engine, progress
from mmgen.exercises.engine import Exercise
from workshop import cli, mutants, mutation
from workshop.mutants import Mutant, changes, unchanged
from workshop.mutation import DIED, LATE, MutationError, Verdict
from workshop.repo import notebooks, topic_of

ROOT = Path(__file__).parents[2]
ALL = all_exercises()


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("MMGEN_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(
    "source,change",
    [
        ("return a + b", "arithmetic: a + b -> a - b"),
        ("return a * b", "arithmetic: a * b -> a / b"),
        ("return a // b", "arithmetic: a // b -> a / b"),
        ("a += b", "arithmetic: a += b -> a -= b"),
        ("return a @ b", "arithmetic: a @ b -> a * b"),
        ("return a ** b", "arithmetic: a ** b -> a * b"),
        ("return a - b", "term: a - b -> a"),
        ("return a - b", "term: a - b -> b"),
        ("return a < b", "comparison: a < b -> a <= b"),
        ("return a < b", "comparison: a < b -> a >= b"),
        ("return a == b", "comparison: a == b -> a != b"),
        ("return a < b < c", "comparison: a < b < c -> a < b <= c"),
        ("return a and b", "logic: a and b -> a or b"),
        ("return a and b", "logic: a and b -> a"),
        ("return not a", "logic: not a -> a"),
        ("return -a", "sign: -a -> a"),
        ("return a * 2", "sign: 2 -> -2"),
        ("return a * -2.5", "sign: -2.5 -> 2.5"),
        ("return a + 1", "number: 1 -> 2"),
        ("return a + 1", "number: 1 -> 0"),
        ("return a[-1]", "number: -1 -> -2"),
        ("return a + .5", "number: 0.5 -> 0.55"),
        ("return a + .5", "number: 0.5 -> 0.0"),
        ("return a + 1e-8", "number: 1e-08 -> 1e-05"),
        ("return f(a, True)", "boolean: True -> False"),
        ("return a.mean(1)", "twin: a.mean(1) -> a.sum(1)"),
        ("return max(a, b)", "twin: max(a, b) -> min(a, b)"),
        ("return math.floor(a)", "twin: math.floor(a) -> math.ceil(a)"),
        ("return a.detach()", "unwrap: a.detach() -> a"),
        ("return torch.sqrt(a)", "unwrap: torch.sqrt(a) -> a"),
        ("return a.T", "unwrap: a.T -> a"),
        ("return F.softmax(a, dim=1)", "unwrap: F.softmax(a, dim=1) -> a"),
        ("return f(a, dim=1)", "keyword: dim=1 of f dropped"),
        ("return a.sum(1)", "argument: a.sum(1) -> a.sum()"),
        ("return torch.sum(a, 1)", "argument: torch.sum(a, 1) -> torch.sum(a)"),
        ("return f(a, b)", "swap: a and b"),
        ("return a, b", "swap: a and b"),
        ("a = a.relu()", "removed: a = a.relu() -> pass"),
        ("optimizer.zero_grad()", "removed: optimizer.zero_grad() -> pass"),
        ("a[0] = 1", "removed: a[0] = 1 -> pass"),
        ("for b in a: a.step()", "removed: for b in a: a.step() -> pass"),
        ("if a: raise ValueError", "removed: if a: raise ValueError -> pass"),
        ("return a if b else c", "branch: a if b else c -> a"),
        ("return a if b else c", "branch: a if b else c -> c"),
        ("return [x for x in a if x]", "branch: for x in a if x -> for x in a"),
        ("with torch.no_grad(): a.step()", "block: with torch.no_grad(): a.step() -> a.step()"),
        ("return a[1:]", "part: 1: -> :"),
        ("return a[:b]", "part: :b -> :b + 1"),
        ("return a[b]", "part: a[b] -> a[b - 1]"),
        ("return [0 for i in range(b)]", "loop: range(b) -> range(b - 1)"),
        ("return f(b)", "given: return f(b) -> return z"),
    ],
)
def test_an_operator_does_what_it_says(source, change):
    made = {c: text for _, c, text in changes(f"def reference(z, a, b, c):\n    {source}")}
    assert change in made, sorted(made)
    new = dict(swap="b, a", keyword="f(a)").get(change.split(":")[0]) or change.split(" -> ", 1)[1]
    assert re.sub(r"\s+", "", new).strip("()") in re.sub(r"\s+", "", made[change]) and compile(
        made[change], "m", "exec"
    )


def test_every_operator_is_shown_above():
    shown = {
        row[1].split(":")[0] for row in test_an_operator_does_what_it_says.pytestmark[0].args[1]
    }
    assert shown == {o.__name__ for o in mutants.OPERATORS} and all(
        o.__doc__ for o in mutants.OPERATORS
    )


@pytest.mark.parametrize(
    "source",
    [
        "d = b",
        "self.a = b",
        "def f(x): return x",
        "for i in a: d = i",
        '"a docstring"',
        "super().__init__()",
        "return F.mse_loss(a, b)",
    ],
)
def test_what_cannot_work_or_differ_is_not_made(source):
    made = [c for _, c, _ in changes(f"def __init__(self, a, b):\n    {source}")]
    assert not [c for c in made if c.split(":")[0] in ("removed", "swap", "number")], made


def test_mutants_are_the_same_everywhere_and_none_stands_twice():
    for ex in ALL.values():
        made = mutants.mutants(ex)
        assert made and made == mutants.mutants(ex) and len({m.key for m in made}) == len(made), (
            ex.id
        )
        sources = {ast.dump(ast.parse(m.source)) for m in made if m.source}
        assert len(sources) == sum(bool(m.source) for m in made), ex.id
        assert all(m.value != ex.reference() for m in made if ex.kind == "answer")


def test_neighbours_of_an_answer():
    assert dict(mutants.nearby(3)) == {
        "+ 1": 4,
        "- 1": 2,
        "* 2": 6,
        "* 1.1": pytest.approx(3.3),
        "minus": -3,
    }
    made = dict(mutants.nearby((1, 2)))
    assert (
        made["items 0, 1 exchanged"] == (2, 1)
        and made["item 1, + 1"] == (1, 3)
        and made["last item dropped"] == (1,)
    )


class Scale(Exercise):
    "Twice the mean, with a checker that looks well"

    id, seconds = "selftest.scale", 2.0
    task, starter = "Return twice the mean of each row, never below zero.", "def scale(x):\n    ..."

    def reference(x):
        while x is None:
            break
        return (x.mean(1) * 2).clamp(min=0)

    def another(x):
        return torch.relu(x.sum(1) * 2 / x.shape[1])

    def check(t, scale):
        x = t.randn(5, 3)
        want = [max(0.0, 2 * sum(row) / 3) for row in x.tolist()]
        t.equal("twice the mean, not below zero", t.call(scale, x), torch.tensor(want))
        t.true("the checker's own numbers are whole", TABLE == [1, 2], TABLE, [1, 2])


class Weak(Scale):
    "The same with a checker that looks at the shape alone"

    id = "selftest.weak"

    def reference(x):
        return (x.mean(1) * 2).clamp(min=0)

    def another(x):
        return torch.relu(x.sum(1) * 2 / x.shape[1])

    def check(t, scale):
        t.shape("one number per row", t.call(scale, t.randn(5, 3)), (5,))


TABLE = [1, 2]
del engine.EXERCISES["selftest.scale"], engine.EXERCISES["selftest.weak"]


def by_hand(body, exercise=Scale):
    return Mutant(exercise.id, "reference", "", body, f"def reference(x):\n    {body}")


def test_a_strong_checker_kills_and_a_weak_one_does_not():
    strong, weak = (mutation.survey([ex], reasons={}) for ex in (Scale, Weak))
    alive = [v.mutant.change for v in strong if not v.killed]
    assert alive and all("x is None" in c or "break" in c for c in alive), (
        alive
    )  # of the loop that never runs: equivalent
    reasons = {v.mutant.key: "x is never None" for v in strong if not v.killed}
    assert mutation.score(mutation.survey([Scale], reasons=reasons)) == 1
    assert mutation.score(weak) < 0.7 and "arithmetic: x.mean(1) * 2 -> x.mean(1) / 2" in [
        v.mutant.change for v in weak if not v.killed
    ]


def test_no_mutant_brings_the_run_down():
    start = time.process_time()
    bodies = [
        "while True: pass",
        "import os; os._exit(3)",
        "return torch.zeros(10 ** 11)",
        "return x.nope",
        "return x.mean(1)",
        "return (x.mean(1) * 2).clamp(min=0)",
    ]
    found = mutation.judge(Scale, [by_hand(b) for b in bodies], memory=1 << 30)
    assert [v.outcome for v in found] == [LATE, DIED, "error", "error", "wrong", "passed"], found
    assert [v.killed for v in found] == [True] * 5 + [False] and time.process_time() - start < 20


def test_what_sleeps_for_ever_is_given_up():
    found = mutation.judge(
        Scale, [by_hand("import time; time.sleep(1e4)"), by_hand("return x")], wait=10
    )
    assert [v.outcome for v in found] == [LATE, "wrong"]


def test_a_mutant_that_spoils_the_checker_is_found_out():
    spoils = "import test_mutation as m; m.TABLE.append(3); return x"
    with pytest.raises(
        MutationError, match="selftest.scale: reference does not pass after its mutants"
    ):
        mutation.judge(Scale, [by_hand(spoils)])


def listed(tmp_path, text):
    (tmp_path / "mutants.yaml").write_text(text, encoding="utf8")
    return tmp_path / "mutants.yaml"


GOOD = (
    "a.b:\n- line: return x\n  mutants: ['number: 1 -> 2']\n  reason: the two are equal for "
    "every x\n"
)


@pytest.mark.parametrize(
    "text,words",
    [
        ("a.b: [", "not readable as YAML"),
        (
            GOOD.replace("  reason: the two are equal for every x\n", ""),
            "a.b: 'return x': reason: is missing",
        ),
        (GOOD + "  why: x\n", "why: is not a field"),
        (GOOD.replace("the two are equal for every x", "same"), "says nothing"),
        (GOOD.replace("2']", "2', 'number: 1 -> 2']"), "stands twice"),
    ],
)
def test_a_broken_list_of_equivalents_is_refused(tmp_path, text, words):
    with pytest.raises(MutationError) as e:
        mutation.equivalents(listed(tmp_path, text))
    assert words in str(e.value) and "mutants.yaml" in str(e.value)


def test_stale_and_wrong_entries_are_named(tmp_path, monkeypatch, capsys):
    reasons = mutation.equivalents(listed(tmp_path, GOOD))
    assert reasons == {
        ("a.b", "reference", "return x", "number: 1 -> 2"): "the two are equal for every x"
    }
    assert mutation.stale(reasons, ALL) == list(reasons)
    killed = mutants.mutants(ALL["tour.psnr"])[0]
    assert (
        mutation.stale({killed.key: "r"}, ALL)
        == []
        == mutation.wrongly_listed([Verdict(killed, "passed", "", "r")])
    )
    assert mutation.wrongly_listed([Verdict(killed, "wrong", "", "r")])
    monkeypatch.setattr(mutation, "equivalents", lambda: reasons)
    assert cli.main(["mutants", "tour.psnr"]) == 1
    out = capsys.readouterr().out
    assert "names no mutant: a.b | reference | return x" in out and "| tour |" in out


def test_mistakes_in_the_command_are_one_line(capsys):
    assert (
        cli.main(["mutants", "--record", "tour"]) == 2
        and "--record keeps a full run" in capsys.readouterr().err
    )
    assert cli.main(["mutants", "tour.psn"]) == 2 and "near: tour.psnr" in capsys.readouterr().err


def test_the_table_adds_up():
    m = [Mutant("a.x", "reference", "", str(i)) for i in range(5)] + [
        Mutant("b.y", "reference", "", "0")
    ]
    ends = ("wrong", "error", LATE, "passed", "passed", "wrong")
    verdicts = [Verdict(a, o, "", "r" if i == 4 else "") for i, (a, o) in enumerate(zip(m, ends))]
    rows = [
        [w.strip() for w in line.split("|")[1:-1]] for line in mutation.table(verdicts).splitlines()
    ]
    assert (
        rows[2] == ["a", "1", "5", "1", "0", "3", "1", "1", "1", "1", "75.0 %"]
        and rows[3][-1] == "100.0 %"
        and rows[4][-1] == "80.0 %"
    )


def test_the_list_of_equivalents_names_living_mutants():
    assert mutation.stale(mutation.equivalents(), ALL) == []


def test_a_sample_of_all_mutants_is_killed():
    found = mutation.survey(list(ALL.values()), sample=60, seed=1)
    alive = [f"{v.mutant.exercise}: {v.mutant.change}" for v in found if not v.killed]
    assert len(found) == 60 and mutation.score(found) >= mutation.TARGET, alive


def test_two_threads_may_read_solutions_at_once():
    chosen, switch, often = (
        [ex for ex in ALL.values() if ex.kind != "answer"][:12] * 10,
        sys.getswitchinterval(),
        gc.get_threshold(),
    )

    def pause(*_):  # Python code inside a collection: where threads take turns
        return sum(range(300))

    gc.callbacks.append(pause)
    try:
        sys.setswitchinterval(1e-5)
        gc.set_threshold(50, 5, 5)
        with ThreadPoolExecutor(2) as pool:
            assert all(m.source for m in pool.map(unchanged, chosen))
    finally:
        sys.setswitchinterval(switch)
        gc.set_threshold(*often)
        gc.callbacks.remove(pause)


@pytest.mark.slow
def test_all_mutants_are_killed_in_every_topic():
    found = mutation.survey(list(ALL.values()), jobs=2)
    assert mutation.wrongly_listed(found) == []
    for topic in {id.split(".")[0] for id in ALL}:
        part = [v for v in found if v.mutant.exercise.startswith(topic + ".")]
        alive = [
            f"{v.mutant.exercise}: {v.mutant.change}"
            for v in part
            if not v.killed and not v.equivalent
        ]
        assert mutation.score(part) >= mutation.TARGET, alive


NOTEBOOKS = {topic_of(p.stem): p for p in notebooks(ROOT)}


def sources(topic):
    "Code cells of a lesson and of its appendices: 10_diffusion, 10a_predictions, ..."
    lesson = NOTEBOOKS[topic].stem[:2]
    return [
        "".join(c["source"])
        for path in notebooks(ROOT)
        if path.stem.startswith(lesson)
        for c in json.loads(path.read_text(encoding="utf8"))["cells"]
        if c["cell_type"] == "code"
    ]


def imports(cells):
    "The import statements of a notebook, nothing else of it."
    trees = [ast.parse(c) for c in cells if "import" in c and not re.search(r"^\s*[%!]", c, re.M)]
    return [
        ast.unparse(n)
        for tree in trees
        for n in tree.body
        if isinstance(n, (ast.Import, ast.ImportFrom))
    ]


@pytest.mark.parametrize("topic", sorted({id.split(".")[0] for id in ALL} & set(NOTEBOOKS)))
def test_a_notebook_run_unsolved_gives_no_point(topic, capsys):
    cells = sources(topic)
    scope = {}
    for line in imports(cells):
        exec(line, scope)
    scope["check"] = check
    shown = {m[1]: c for c in cells if (m := re.search(r'^check\("([\w.]+)"', c, re.M))}
    assert {id for id in ALL if id.startswith(topic + ".")} <= set(shown) <= set(ALL)
    for id, cell in shown.items():
        assert cell.strip() == ALL[id].cell(), f"{id}: its cell is not its starter"
        exec(cell, dict(scope))
        assert f"{id}: not attempted" in capsys.readouterr().out
    assert progress.history() == []
