"""The exercise engine, and the proof of every checker: right solutions pass, each wrong one fails
with its own message.
"""

import os
import sys
import threading
import time

import numpy as np
import pytest
import torch

from mmgen import exercises
from mmgen.exercises import all_exercises, engine
from mmgen.exercises.engine import EMPTY, ERROR, PASSED, WRONG, Exercise, grade, wrong

ALL = all_exercises()
RIGHT = [(id, name) for id, ex in ALL.items() for name in ex.variants()[0]]
FALSE = [(id, name) for id, ex in ALL.items() for name in ex.variants()[1]]


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("MMGEN_HOME", str(tmp_path / "home with spaces é"))


@pytest.mark.parametrize("id", ALL)
def test_definition_is_whole(id):
    ex = ALL[id]
    right, false = ex.variants()
    assert len(right) >= 2 and len(false) >= 4, (
        f"{id}: {len(right)} right and {len(false)} wrong solutions; at least 2 and 4 wanted"
    )
    assert ex.__doc__ and ex.task and ex.starter and len(ex.hints) >= 2
    assert (
        ex.kind in ("write", "bug", "answer")
        and 1 <= ex.difficulty <= 5
        and 1 <= ex.importance <= 5
        and ex.minutes > 0
    )
    assert grade(ex, ex.unsolved()).outcome == EMPTY
    assert ex.source()


@pytest.mark.parametrize("id,name", RIGHT)
def test_right_solution_passes(id, name):
    result = grade(ALL[id], ALL[id].variants()[0][name])
    assert result.outcome == PASSED, f"{result.outcome}\n{result.message}"


@pytest.mark.parametrize("id,name", FALSE)
def test_wrong_solution_fails_with_its_message(id, name):
    solution, message = ALL[id].variants()[1][name]
    result = grade(ALL[id], solution)
    assert result.outcome in (WRONG, ERROR), f"{name} got {result.outcome}"
    assert message in result.message, f"expected {message!r} in:\n{result.message}"


@pytest.mark.parametrize("id", [id for id, ex in ALL.items() if ex.kind == "bug"])
def test_the_bug_is_found(id):
    result = grade(ALL[id], ALL[id].unsolved(), allow_untouched=False)
    assert result.outcome in (WRONG, ERROR) and ALL[id].bug and ALL[id].bug in result.message, (
        f"{result.outcome}\n{result.message}"
    )


class Double(Exercise):
    "Twice x"

    id, seconds = "selftest.double", 0.5
    task, hints = "Return 2 x.", ("add", "x + x")
    starter = "def double(x):\n    ..."

    def reference(x):
        return x + x

    def another(x):
        return 2 * x

    def check(t, double):
        x = t.randn(3, 2)
        t.equal(
            "twice the input",
            t.call(double, x),
            x * 2,
            given="3 x 2 normal numbers",
            because="one x is missing",
        )

    @wrong("twice the input")
    def once(x):
        return x * 1.0


del engine.EXERCISES["selftest.double"]


def forever(x):
    while True:
        pass


def stubborn(x):
    while True:
        try:
            while True:
                time.sleep(0.001)
        except Exception:
            pass


def in_place(x):
    return x.mul_(2)


def noisy(x):
    print("y" * 10**7)
    return x + x


def exits(x):
    raise SystemExit(3)


def crashes(x):
    return x.nope()


def wrong_type(x):
    return "12"


def wrong_shape(x):
    return (x + x)[0]


def forgets(x):
    x + x


def spoils(x):
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)
    return x + x


@pytest.mark.parametrize(
    "solution,outcome,words",
    [
        (Double.reference, PASSED, ""),
        (Double.once, WRONG, "one x is missing"),
        (spoils, PASSED, ""),
        (noisy, PASSED, "it printed"),
        (forever, ERROR, "still running after 0.5 s"),
        (stubborn, ERROR, "still running"),
        (exits, ERROR, "SystemExit"),
        (crashes, ERROR, "has no attribute 'nope'"),
        (in_place, WRONG, "changed in place"),
        (forgets, WRONG, "return statement is missing"),
        (wrong_type, WRONG, "a tensor of shape (3, 2)"),
        (wrong_shape, WRONG, "shape (2,)"),
        (3, WRONG, "can be called"),
        (None, EMPTY, ""),
        (..., EMPTY, ""),
        (Double.unsolved(), EMPTY, ""),
    ],
)
def test_no_solution_hangs_or_spoils_the_session(solution, outcome, words):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    start = time.time()
    result = grade(Double, solution)
    assert result.outcome == outcome and words in result.message, result.message
    assert len(result.message) < 3000 and time.time() - start < 5
    assert torch.equal(before, torch.get_rng_state()) and torch.get_default_dtype() == torch.float32


def test_check_hint_solution_reset_status(capsys, monkeypatch):
    monkeypatch.setitem(engine.EXERCISES, "selftest.double", Double)
    id = "selftest.double"
    exercises.solution(id)
    assert "Try it first" in capsys.readouterr().out
    exercises.check(id, Double.unsolved())
    assert "not attempted" in capsys.readouterr().out
    exercises.check(id, Double.once)
    out = capsys.readouterr().out
    assert "wrong" in out and "twice the input" in out and "3 x 2 normal numbers" in out
    exercises.hint(id)
    exercises.hint(id)
    exercises.hint(id)
    out = capsys.readouterr().out
    assert "Hint 1 of 2: add" in out and out.count("Hint 2 of 2") == 2
    exercises.solution(id)
    assert "def double(x):\n    return x + x" in capsys.readouterr().out
    exercises.check(id, Double.another)
    assert "passed" in capsys.readouterr().out
    exercises.status("selftest")
    assert "passed" in capsys.readouterr().out
    exercises.reset(id)
    capsys.readouterr()
    exercises.status("selftest")
    assert "not attempted" in capsys.readouterr().out


def test_unknown_exercise_names_the_nearest():
    if not ALL:
        pytest.skip("no exercises yet")
    id = next(iter(ALL))
    with pytest.raises(KeyError, match=id.replace(".", r"\.")):
        exercises.check(id[:-1] + "x", None)


def test_damaged_progress_file_is_kept_aside(capsys):
    from mmgen.exercises import progress

    progress.record("a.b", "passed")
    progress.progress_file().write_bytes(b"not a database at all" * 100)
    assert progress.history() == [] or progress.history() == []
    assert "kept as" in capsys.readouterr().out
    assert len(list(progress.progress_file().parent.glob("progress.damaged-*"))) == 1
    progress.record("a.b", "passed")
    assert len(progress.history()) == 1


def test_an_exception_of_a_library_is_shown_whatever_its_kind():
    def double(x):
        return torch.arange(3).softmax(0)  # torch raises NotImplementedError for integers

    result = grade(Double, double)
    assert result.outcome == ERROR and "NotImplementedError" in result.message


def test_what_a_solution_changes_is_given_back(tmp_path):
    before = os.getcwd(), dict(os.environ), list(sys.path), sys.getrecursionlimit()
    functions = torch.allclose, torch.Tensor.allclose, torch.nn.functional.relu

    def double(x):
        os.chdir(tmp_path)
        os.environ["MMGEN_TEST"] = "1"
        sys.path.insert(0, str(tmp_path))
        sys.setrecursionlimit(5000)
        torch.set_default_dtype(torch.float64)
        torch.allclose = torch.Tensor.allclose = lambda *a, **kw: True
        torch.nn.functional.relu = None
        return 3 * x

    assert grade(Double, double).outcome == WRONG
    assert before == (os.getcwd(), dict(os.environ), list(sys.path), sys.getrecursionlimit())
    assert functions == (torch.allclose, torch.Tensor.allclose, torch.nn.functional.relu)
    assert torch.get_default_dtype() == torch.float32


def test_ctrl_c_ends_the_solution_too(monkeypatch):
    running, join = [], threading.Thread.join

    def double(x):
        running.append(threading.current_thread())
        while True:
            pass

    def interrupted(self, timeout=None):
        join(self, 0.2)
        if timeout == Double.seconds:
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        grade(Double, double)
    assert running and not running[0].is_alive()


@pytest.mark.parametrize("value", [np.int64(3), np.float32(3.0), torch.tensor(3)])
def test_numbers_of_other_libraries_are_numbers(value):
    assert engine.plain(value) == 3 and type(engine.plain(value)) in (int, float)


def test_a_forbidden_call_is_seen_and_put_back():
    F = torch.nn.functional
    original = F.relu
    t = engine.Trial()
    t.without(F, "relu", lambda x: x.clamp(min=0), torch.zeros(2))
    with pytest.raises(engine.Refused, match="relu is not called"):
        t.without(F, "relu", lambda x: F.relu(x), torch.zeros(2))
    attention = F.scaled_dot_product_attention
    with pytest.raises(engine.Refused, match="scaled_dot_product_attention is not called"):
        t.without(F, "scaled_dot_product_attention", attention, *torch.zeros(3, 1, 1, 2))
    assert F.relu is original
