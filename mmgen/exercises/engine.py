"""The engine behind `check`, `hint` and `solution`: an exercise is a class, its checker is a
function of a `Trial`.

An exercise module holds subclasses of `Exercise`. Each carries a reference, a second right
solution and named wrong ones (`@wrong("fragment of its message")`), so that the checker itself
can be tested. See `mmgen/exercises/quantizer.py`.
"""

import contextlib
import ctypes
import inspect
import io
import math
import os
import random
import re
import sys
import textwrap
import threading
import traceback
import types
from dataclasses import dataclass

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

_LIBRARIES = (torch, torch.nn, torch.nn.functional, torch.Tensor, math, np)
_allclose = torch.allclose  # the engine's own, whatever a solution puts in its place
EXERCISES = {}  # id -> Exercise subclass, filled when a topic module is imported
PASSED, WRONG, EMPTY, ERROR = "passed", "wrong", "not attempted", "error"
PRINT_LIMIT = 2_000  # characters kept of what a solution prints


class Exercise:
    """Base of all exercises; a subclass fills the fields and gives `reference`, `another`, `check`
    and at least four `@wrong`.
    """

    id, kind = "", "write"  # "topic.name"; "write" a function, repair a "bug", or give an "answer"
    difficulty, importance, minutes = 1, 1, 5  # 1..5, how often it is asked 1..5, minutes
    covers = ()  # ids of claims, data/coverage.yaml
    task, starter, bug = (
        "",
        "",
        "",
    )  # what to do; the learner's cell; for a bug: a fragment of the message that the starter earns
    hints = ()
    seconds = 10.0  # limit for one check

    def __init_subclass__(cls):
        if cls.id:
            EXERCISES[cls.id] = cls

    @classmethod
    def name(cls):
        "The name that the learner's cell defines."
        return (
            "answer"
            if cls.kind == "answer"
            else re.search(r"^(?:def|class)\s+(\w+)", cls.starter, re.M)[1]
        )

    @classmethod
    def cell(cls):
        "The learner's cell in the notebook: the starter and the call that checks it."
        starter = cls.starter.strip()
        last = starter.splitlines()[-1] if starter else ""
        blank_lines = "\n\n\n" if last.startswith((" ", "def ", "class ")) else "\n\n"
        return f'{starter}{blank_lines}check("{cls.id}", {cls.name()})'

    @classmethod
    def variants(cls):
        "Right solutions and wrong ones as two dicts of name -> object under test."
        right, false = {}, {}
        for k, v in vars(cls).items():
            is_right, message = (
                k == "reference" or k.startswith("another"),
                getattr(v, "wrong_message", None),
            )
            if not is_right and message is None:
                continue
            solution = v() if cls.kind == "answer" else v
            if is_right:
                right[k] = solution
            else:
                false[k] = solution, message
        return right, false

    @classmethod
    def unsolved(cls):
        "The object that the untouched starter defines."
        scope = dict(vars(inspect.getmodule(cls)))
        exec(cls.starter, scope)
        return scope[cls.name()]

    @classmethod
    def source(cls):
        "Source of the reference, under the learner's name."
        text = textwrap.dedent(inspect.getsource(cls.reference))
        return re.sub(
            r"^(def|class) reference", rf"\1 {cls.name()}", text, count=1, flags=re.M
        ).rstrip()


def wrong(message):
    "Mark a solution as wrong; `message` is a fragment of what the checker must say of it."

    def mark(solution):
        solution.wrong_message = message
        return solution

    return mark


@dataclass
class Result:
    """Outcome of one check: `passed`, `wrong`, `not attempted` or `error`, and the message for the
    learner.
    """

    outcome: str
    message: str = ""


class Refused(Exception):
    "A property does not hold; the text is the message for the learner."


class Crashed(Exception):
    "The learner's code raised; `cause` is its exception."

    def __init__(self, cause):
        super().__init__(str(cause))
        self.cause = cause


class TimeUp(BaseException):
    "Thrown into a solution that runs past its limit."


def brief(value, limit=300):
    "Short text of any value: small tensors whole, large ones by shape and range."
    if isinstance(value, torch.Tensor):
        v = value.detach()
        numbers = (
            np.round(v.double().cpu().numpy(), 4).tolist() if v.is_floating_point() else v.tolist()
        )
        ordered = v.numel() and not v.is_complex() and v.dtype != torch.bool
        span = f"from {v.min():.4g} to {v.max():.4g}" if ordered else f"{int((v != 0).sum())} true"
        text = (
            f"{numbers}, shape {tuple(v.shape)}"
            if v.numel() <= 24
            else f"tensor {tuple(v.shape)} {str(v.dtype)[6:]}, {span}"
        )
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[:limit] + " ..."


class Trial:
    """What a checker is given: seeded inputs, and the questions it may ask; the first 'no' ends the
    check with its message.
    """

    def __init__(self, seed=0):
        self.generator = torch.Generator().manual_seed(seed)

    def randn(self, *shape, **kw):
        "Normal numbers from the trial's own generator."
        return torch.randn(*shape, generator=self.generator, **kw)

    def rand(self, *shape, **kw):
        "Uniform numbers in [0, 1)."
        return torch.rand(*shape, generator=self.generator, **kw)

    def randint(self, low, high, shape):
        "Integers from `low` to `high - 1`."
        return torch.randint(low, high, shape, generator=self.generator)

    def call(self, solution, *args, **kwargs):
        """Call the learner's code; its exceptions become an error, a changed argument or a missing
        result a refusal.
        """
        before = [a.detach().clone() if isinstance(a, torch.Tensor) else None for a in args]
        try:
            out = solution(*args, **kwargs)
        except TimeUp:
            raise
        except Exception as e:
            raise Crashed(e) from e
        for i, (a, b) in enumerate(zip(args, before)):
            same = b is None or _allclose(a.detach(), b, 0.0, 0.0, equal_nan=True)
            self.true(
                "its arguments are left as they were",
                same,
                f"argument {i + 1} was changed in place",
                "the same values after the call",
                because="methods that end in _ and x[...] = y write into the caller's tensor",
            )
        self.true(
            "it returns a result",
            out is not None and out is not ...,
            out,
            "a value",
            because="the return statement is missing",
        )
        return out

    def without(self, module, name, solution, *args, because=""):
        "Call the solution once where `module.name` may not be called, under any name."
        original, called = getattr(module, name), []

        class Watch(TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                if func is original:
                    called.append(name)
                return func(*args, **(kwargs or {}))

        def watched(*a, **kw):
            called.append(name)
            return original(*a, **kw)

        setattr(module, name, watched)
        try:
            with Watch():
                self.call(solution, *args)
        finally:
            setattr(module, name, original)
        self.true(f"{name} is not called", not called, "a call of it", "own lines", because=because)

    def no_loop(self, solution, few, many, because=""):
        "Demand as many lines of Python for the arguments `many` as for the shorter `few`."
        counts = []
        for args in (few, many):
            counts.append(0)

            def count(frame, event, arg):
                counts[-1] += event == "line"
                return count

            before = sys.gettrace()
            sys.settrace(count)
            try:
                self.call(solution, *args)
            finally:
                sys.settrace(before)
        self.true(
            "no Python loop over the rows",
            counts[0] == counts[1],
            f"{counts[0]} lines run for {len(few[0])} rows, {counts[1]} for {len(many[0])}",
            "as many lines for more rows",
            because=because,
        )

    def refuse(self, property, got=None, expected=None, given="", because=""):
        "End the check: `property` does not hold."
        rows = [
            ("property", property),
            ("input", given or None),
            ("expected", expected),
            ("got", got),
            ("likely", because or None),
        ]
        raise Refused(
            "\n".join(
                f"  {k:<9} {v if isinstance(v, str) else brief(v)}"
                for k, v in rows
                if v is not None
            )
        )

    def true(self, property, condition, got=None, expected=None, given="", because=""):
        "Demand `condition`."
        if not bool(condition):
            self.refuse(property, got, expected, given, because)

    def shape(self, property, got, shape, given="", because=""):
        "Demand a tensor of this shape."
        self.true(
            property,
            isinstance(got, torch.Tensor),
            f"a {type(got).__name__}",
            f"a tensor of shape {tuple(shape)}",
            given,
            because,
        )
        self.true(
            property,
            tuple(got.shape) == tuple(shape),
            f"shape {tuple(got.shape)}",
            f"shape {tuple(shape)}",
            given,
            because,
        )

    def equal(self, property, got, expected, atol=1e-5, rtol=1e-5, given="", because=""):
        """Demand equal values, tensors up to a tolerance and of one shape; numbers, strings and
        sequences too.
        """
        if isinstance(expected, torch.Tensor):
            if isinstance(got, (int, float, list, tuple, np.ndarray, np.generic)):
                with contextlib.suppress(Exception):
                    got = torch.as_tensor(got)
            self.shape(property, got, expected.shape, given, because)
            a, b = got.detach().cpu().double(), expected.detach().cpu().double()
            same = _allclose(a, b, atol=atol, rtol=rtol, equal_nan=True)
        elif isinstance(expected, (int, float)) and not isinstance(expected, bool):
            value = got.item() if isinstance(got, torch.Tensor) and got.numel() == 1 else got
            number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
            same = number and abs(value - expected) <= atol + rtol * abs(expected)
        elif isinstance(expected, (tuple, list)):
            same = isinstance(got, (tuple, list, torch.Size)) and len(got) == len(expected)
            if same and any(isinstance(e, (torch.Tensor, float)) for e in expected):
                for g, e in zip(got, expected):
                    self.equal(property, g, e, atol, rtol, given, because)
                return
            same = same and list(got) == list(expected)
        else:
            same = type(got) is type(expected) and got == expected
        self.true(property, same, got, expected, given, because)

    def near(self, property, got, expected, tol, given="", because=""):
        "Demand a value within `tol` of `expected`."
        self.equal(property, got, expected, atol=tol, rtol=0.0, given=given, because=because)


def fingerprint(obj):
    """What a function or class does, without names of files and line numbers; equal for two cells
    with the same code.
    """
    if isinstance(obj, types.CodeType):
        return (
            obj.co_code,
            obj.co_names,
            obj.co_varnames,
            tuple(fingerprint(c) for c in obj.co_consts),
        )
    if inspect.isfunction(obj):
        return fingerprint(obj.__code__), repr(obj.__defaults__)
    if inspect.isclass(obj):
        return obj.__name__, [
            (k, fingerprint(v)) for k, v in sorted(vars(obj).items()) if inspect.isfunction(v)
        ]
    return repr(obj)


class _Bounded(io.StringIO):
    def write(self, s):
        return super().write(s[: max(0, PRINT_LIMIT - self.tell())]) and len(s)


@contextlib.contextmanager
def _unchanged_session():
    """What a solution may change and others rely on is given back as it was: random states, the
    default dtype, folder, environment, import path, limit of recursion, names in torch and math.
    Inside, the default dtype is float32, which the checkers are written for.
    """
    states = random.getstate(), np.random.get_state(), torch.get_default_dtype()
    folder, environment, path = os.getcwd(), dict(os.environ), list(sys.path)
    limit, names = sys.getrecursionlimit(), [(m, dict(vars(m))) for m in _LIBRARIES]
    torch.set_default_dtype(torch.float32)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield
    finally:
        for module, before in names:
            for name, value in before.items():
                if vars(module).get(name) is not value:
                    setattr(module, name, value)
        for name in set(vars(torch.Tensor)) - set(dict(names)[torch.Tensor]):
            delattr(torch.Tensor, name)  # it hides a method of the class below
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_default_dtype(states[2])
        sys.setrecursionlimit(limit)
        sys.path[:] = path
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        os.chdir(folder)


def _in_time(work, seconds):
    """Run `work()` in a thread; past the limit an exception is thrown into it, again and again,
    until it ends. True if it ended in time.
    """
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        late = thread.is_alive()
    finally:  # Ctrl-C while waiting ends the solution too
        _stop(thread)
    return not late


def _stop(thread):
    "Throw `TimeUp` into a thread until it ends, for two seconds at most."
    for _ in range(40):
        if not thread.is_alive():
            break
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(TimeUp)
        )
        thread.join(0.05)


def plain(value):
    "A number of numpy, or a tensor that holds one number, as a Python number; else `value`."
    if isinstance(value, np.generic) or (isinstance(value, torch.Tensor) and value.ndim == 0):
        return value.item()
    return value


def _learners_frames(error):
    "Type and text of `error`, with the lines of the learner's own cell."
    outside = ("site-packages", "<frozen", __file__)
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not any(o in f.filename for o in outside)
    ]
    lines = [f"  line {f.lineno}, in {f.name}: {f.line}" for f in frames[-3:]]
    return "\n".join([f"  {type(error).__name__}: {str(error)[:500]}", *lines])


def grade(exercise, solution, allow_untouched=True):
    """Judge `solution` against an Exercise class and return a `Result`; nothing of the session
    changes, and no solution can hang it.
    """
    if solution is None or solution is ...:
        return Result(EMPTY)
    if exercise.kind != "answer" and not callable(solution):
        return Result(
            WRONG,
            f"  property  {exercise.name()} can be called\n  got       a "
            f"{type(solution).__name__}: {brief(solution, 80)}",
        )
    untouched = exercise.kind != "answer" and fingerprint(solution) == fingerprint(
        exercise.unsolved()
    )
    if allow_untouched and untouched:
        return Result(EMPTY)
    found, printed = [], _Bounded()
    import torch._dynamo  # noqa: F401  the first optimizer would import it, and a limit in seconds must not cut that short

    def work():
        try:
            exercise.check(Trial(), solution)
            found.append(Result(PASSED))
        except Refused as e:
            found.append(Result(WRONG, str(e)))
        except Crashed as e:
            found.append(Result(ERROR, _learners_frames(e.cause)))
        except TimeUp:
            pass
        except BaseException as e:
            found.append(Result(ERROR, _learners_frames(e)))

    with _unchanged_session(), contextlib.redirect_stdout(printed):
        in_time = _in_time(work, exercise.seconds)
    late = Result(
        ERROR,
        f"  still running after {exercise.seconds:g} s and was stopped: is there a loop that "
        "never ends?",
    )
    result = found[0] if in_time and found else late
    if printed.getvalue():
        result.message += (
            ("\n" if result.message else "")
            + "  it printed: "
            + textwrap.shorten(printed.getvalue(), 200)
        )
    return result
