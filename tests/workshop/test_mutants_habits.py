"""The mistakes that learners make: what each operator yields, and that a weak checker lets it pass
which a better one refuses.
"""

import ast
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmgen.exercises.engine import PASSED, WRONG, Exercise, grade
from workshop import habits
from workshop.mutants import Mutant, build, changes

X = torch.tensor([[3.0, -1.0, 0.5], [0.25, 2.0, -4.0]])
CODES = torch.tensor([[0.0, 0.0], [2.0, 2.0]])
WEIGHTS = torch.tensor([[0.9, 0.1]]).expand(400, 2)


def of_shape(*shape):
    "Only looks at the shape."
    return lambda t, got: t.true("a shape", tuple(got.shape) == shape)


def draws(f, n=2000):
    return torch.cat([torch.as_tensor(f(torch.zeros(n, 2))).flatten() for _ in range(2)]).double()


def repeated(*arguments):
    return [arguments, arguments]


# the reference's parameters and body; a change that it must yield; a weak question and a better
# one, each a function of a trial and the solution, which the reference passes
CASES = {
    "distance": (
        "x, e: torch.cdist(x, e).argmin(1)",
        "torch.cdist(x, e) -> torch.cdist(x, e, p=1)",
        lambda t, f: t.equal("near", f(torch.ones(1, 2) * 3, CODES), torch.tensor([1])),
        lambda t, f: t.equal(
            "near", f(torch.zeros(1, 2), torch.tensor([[3.0, 0], [2, 2]])), torch.tensor([1])
        ),
    ),
    "root": (
        "x: x.square().mean()",
        "x.square().mean() -> x.square().mean().sqrt()",
        lambda t, f: t.near("ones pay 1", f(torch.ones(4)), 1.0, 1e-6),
        lambda t, f: t.near("twos pay 4", f(torch.ones(4) * 2), 4.0, 1e-6),
    ),
    "law": (
        "x: torch.rand(len(x))",
        "torch.rand(len(x)) -> torch.rand(len(x)).square()",
        lambda t, f: t.true("a share", (f(X) >= 0).all() and (f(X) < 1).all()),
        lambda t, f: t.near("uniform", draws(f).mean().item(), 0.5, 0.05),
    ),
    "certain": (
        "p: torch.multinomial(p, 1)",
        "torch.multinomial(p, 1) -> p.argmax(-1, keepdim=True)",
        lambda t, f: of_shape(400, 1)(t, f(WEIGHTS)),
        lambda t, f: t.near("one in ten", f(WEIGHTS).double().mean().item(), 0.1, 0.06),
    ),
    "one_draw": (
        "x: torch.randn_like(x)",
        "torch.randn_like(x) -> (lambda r: r[:1].expand_as(r))(torch.randn_like(x))",
        lambda t, f: of_shape(2, 3)(t, f(X)),
        lambda t, f: t.true("its own", not torch.equal(*f(X))),
    ),
    "ignored": (
        "x, beta=0.25: beta * x",
        "beta -> 0.25, whatever is given",
        lambda t, f: t.equal("a quarter", f(X, 0.25), X / 4),
        lambda t, f: t.equal("a half", f(X, 0.5), X / 2),
    ),
    "fixed": (
        "x, n: x.sum(0) / n",
        "n -> first(n)",
        lambda t, f: [t.equal("halves", f(*a), X.sum(0) / 2) for a in repeated(X, 2)],
        lambda t, f: [t.equal("shares", f(X, n), X.sum(0) / n) for n in (2, 5)],
    ),
    "sample_size": (
        "i, n: F.one_hot(i, n)",
        "F.one_hot(i, n) -> F.one_hot(i)",
        lambda t, f: of_shape(2, 4)(t, f(torch.tensor([3, 1]), 4)),
        lambda t, f: of_shape(2, 4)(t, f(torch.tensor([0, 1]), 4)),
    ),
    "order": (
        "a, b: a @ b",
        "a @ b -> b @ a",
        lambda t, f: t.equal("powers", f(X[:, :2], X[:, :2]), X[:, :2] @ X[:, :2]),
        lambda t, f: of_shape(2, 2)(t, f(X, X.T)),
    ),
    "rounding": (
        "x: round(x)",
        "round(x) -> int(x)",
        lambda t, f: t.equal("3", f(3.2), 3),
        lambda t, f: t.equal("4", f(3.7), 4),
    ),
    "passes": (
        "x: sum(v for v in x)",
        "for v in x -> for v in list(x)[:-1]",
        lambda t, f: t.equal("3", f([1, 2, 0]), 3),
        lambda t, f: t.equal("6", f([1, 2, 3]), 6),
    ),
    "indented": (
        "x:\n    s = 0\n    for v in x:\n        s += v\n    return s",
        "return s inside the loop",
        lambda t, f: t.equal("3", f([3]), 3),
        lambda t, f: t.equal("6", f([1, 2, 3]), 6),
    ),
    "cut": (
        "a, b: F.mse_loss(a, b)",
        "F.mse_loss(a, b) -> F.mse_loss(a.detach(), b)",
        lambda t, f: t.near("its value", f(X, X + 1).item(), 1.0, 1e-6),
        lambda t, f: t.true("a gradient", f(X.clone().requires_grad_(), X).requires_grad),
    ),
    "linear": (
        "x: nn.Sequential(nn.Linear(3, 2), nn.ReLU())(x)",
        "nn.ReLU() -> nn.Identity()",
        lambda t, f: of_shape(2, 2)(t, f(X)),
        lambda t, f: t.true("nothing below 0", (f(torch.randn(99, 3)) >= 0).all()),
    ),
    "spread": (
        "x: x.std(0)",
        "x.std(0) -> x.std(0, correction=0)",
        lambda t, f: t.near("about 1", f(torch.randn(10_000)).item(), 1.0, 0.1),
        lambda t, f: t.near("of two", f(torch.tensor([0.0, 2.0])).item(), 2**0.5, 1e-6),
    ),
    "base": (
        "x: torch.log(x)",
        "torch.log(x) -> torch.log2(x)",
        lambda t, f: t.near("1 gives 0", f(torch.ones(())).item(), 0.0, 1e-6),
        lambda t, f: t.near("e gives 1", f(torch.tensor(math.e)).item(), 1.0, 1e-6),
    ),
    "masked": (
        "x, m: x.masked_fill(m, float('-inf')).softmax(0)",
        "float('-inf') -> 0.0",
        lambda t, f: t.near("sums to 1", f(X[0], X[0] < 0).sum().item(), 1.0, 1e-6),
        lambda t, f: t.equal("no share", f(X[0], X[0] < 0)[1].item(), 0.0),
    ),
}


def source(case):
    "The reference of a case, written out."
    arguments, body = case[0].split(":", 1)
    return f"def reference({arguments}):" + (
        body if body.startswith("\n") else f"\n    return{body}"
    )


def outcome(question, solution):
    "What the engine says of a solution when a question is the whole checker."

    class Asked(Exercise):
        kind, starter = "write", "def reference(x):\n    ..."
        seconds = 10.0

        def check(t, solution):
            question(t, solution)

    return grade(Asked, solution).outcome


@pytest.mark.parametrize("name", CASES)
def test_a_habit_passes_a_weak_checker_and_fails_a_better_one(name):
    case = CASES[name]
    made = {c: text for _, c, text in changes(source(case))}
    change = f"{name}: {case[1]}"
    assert change in made, sorted(made)

    class Owner(Exercise):
        pass

    def solution(text):
        return build(Owner, Mutant("habits", "reference", "", change, text))

    for question in case[2:]:
        assert outcome(question, solution(source(case))) == PASSED
    assert outcome(case[2], solution(made[change])) == PASSED
    assert outcome(case[3], solution(made[change])) == WRONG


def test_every_habit_is_shown_above_and_says_what_it_does():
    assert set(CASES) == {h.__name__ for h in habits.HABITS}
    assert all("->" in h.__doc__ or h is habits.one_draw for h in habits.HABITS)
    assert nn.ReLU and F.relu  # the solutions above are built with the names of this module


@pytest.mark.parametrize(
    "line,change",
    [
        ("return a ** 2", "distance: a ** 2 -> abs(a)"),
        ("return a.pow(2)", "distance: a.pow(2) -> a.abs()"),
        ("return a.norm()", "distance: a.norm() -> a.norm(p=float('inf'))"),
        ("return F.mse_loss(a, b)", "distance: F.mse_loss(a, b) -> F.l1_loss(a, b)"),
        ("return F.mse_loss(a, b)", "root: F.mse_loss(a, b) -> F.mse_loss(a, b).sqrt()"),
        ("return torch.rand(3)", "law: torch.rand(3) -> torch.randn(3).sigmoid()"),
        ("return torch.randn(3)", "law: torch.randn(3) -> (torch.rand(3) - 0.5) * 12 ** 0.5"),
        ("return torch.randperm(3)", "law: torch.randperm(3) -> torch.arange(3)"),
        ("return torch.bernoulli(b)", "certain: torch.bernoulli(b) -> b"),
        ("return torch.rand(3) < b", "certain: torch.rand(3) < b -> b"),
        ("return len(a)", "fixed: len(a) -> first(len(a))"),
        ("return a.shape[1]", "fixed: a.shape[1] -> first(a.shape[1])"),
        ("return a - b", "order: a - b -> b - a"),
        ("return math.ceil(a)", "rounding: math.ceil(a) -> int(a)"),
        ("return a.round()", "rounding: a.round() -> a.trunc()"),
        ("return [v for v in a]", "passes: for v in a -> for v in list(a)[1:]"),
        ("return (a - b).square()", "cut: a - b -> a - b.detach()"),
        ("return nn.Tanh()", "linear: nn.Tanh() -> nn.Sigmoid()"),
        ("return a.var(unbiased=False)", "spread: a.var(unbiased=False) -> a.var(correction=1)"),
        ("return math.log2(a)", "base: math.log2(a) -> math.log(a)"),
        ("return -math.inf", "masked: -math.inf -> 0.0"),
    ],
)
def test_a_habit_does_what_its_docstring_shows(line, change):
    made = {c: text for _, c, text in changes(f"def reference(a, b):\n    {line}")}
    assert change in made, sorted(made)
    assert ast.parse(made[change])


@pytest.mark.parametrize(
    "line,word",
    [
        ("return (a - b).square()", "order"),
        ("return F.cross_entropy(a, b)", "cut: F.cross_entropy(a, b) -> F.cross_entropy(a, b.d"),
        ("return a.sum()", "root"),
        ("return a.mean(0)", "root"),
    ],
)
def test_what_makes_no_difference_is_not_made(line, word):
    made = [c for _, c, _ in changes(f"def reference(a, b):\n    {line}")]
    assert not [c for c in made if c.startswith(word)], made
