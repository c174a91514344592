"""The loop: what it computes, what it refuses, and that watching it changes nothing."""

import math
import random
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
import train_jobs as jobs
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from mmgen.checkpoints import load_checkpoint
from mmgen.optimizers import EMA, embeddings, lr_factor, orthogonal
from mmgen.training import Batches, Muon, NonFiniteError, Recipe, fit, matrix_optimizers, run


def linear(value=0.0):
    net = nn.Linear(3, 1)
    nn.init.constant_(net.weight, value)
    nn.init.zeros_(net.bias)
    return net


def small_data(n=20):
    g = torch.Generator().manual_seed(0)
    return torch.randn(n, 3, generator=g), torch.randn(n, 1, generator=g)


def mse(m, b):
    return F.mse_loss(m(b[0]), b[1])


def quick(model, recipe, loss_fn=mse, data=None, **kw):
    return fit(
        model, loss_fn, data or Batches(small_data(), 5), recipe, device="cpu", progress=False, **kw
    )


# Batches


@pytest.mark.parametrize("n,size", [(5, 2), (7, 7), (3, 8), (1, 4), (10, 1), (64, 16)])
def test_every_pass_holds_each_example_once(n, size):
    b = Batches(torch.arange(n), size, seed=2)
    stream = torch.cat([b[s] for s in range(-(-3 * n // size))])[: 3 * n].reshape(3, n)
    assert (stream.sort(1).values == torch.arange(n)).all() and all(
        len(b[s]) == size for s in range(5)
    )
    assert n < 5 or not torch.equal(stream[0], stream[1])


def test_a_batch_follows_from_seed_and_number_alone():
    a, b = jobs.batches(), jobs.batches()
    for s in (9, 0, 5, 9):
        assert all(
            torch.equal(x, y) for x, y in zip(a[s], (torch.randn(4), random.random(), b[s])[2])
        )
    assert not torch.equal(
        Batches(torch.arange(50), 50, seed=0)[0], Batches(torch.arange(50), 50, seed=1)[0]
    )
    assert [s.tolist() for s, _ in zip(Batches(torch.arange(9), 3).from_step(1, 2), range(2))] == [
        Batches(torch.arange(9), 3)[s].tolist() for s in (1, 3)
    ]


def test_random_numbers_of_a_transform_leave_the_callers_alone():
    def shake(b):
        return b + torch.randn(4) + random.random() + np.random.rand()

    b = Batches(torch.zeros(8), 4, transform=shake)
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    want = torch.randn(2), random.random(), np.random.rand()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    b[3]
    assert torch.equal(want[0], torch.randn(2)) and want[1:] == (random.random(), np.random.rand())


def test_a_dataset_is_collated_and_bad_data_is_named():
    class Pairs(torch.utils.data.Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, i):
            return torch.full((2,), float(i)) + torch.randn(2) * 0, i

    x, i = Batches(Pairs(), 4)[0]
    assert (
        x.shape == (4, 2)
        and torch.equal(x[:, 0].long(), i)
        and torch.equal(Batches(Pairs(), 4)[0][0], x)
    )
    for bad, words in (
        ((torch.ones(3), torch.ones(4)), r"\[3, 4\] examples"),
        (torch.empty(0, 2), r"\[0\] examples"),
        ([], r"\[0\] examples"),
    ):
        with pytest.raises(ValueError, match=words):
            Batches(bad, 2)
    for bad, kind in (
        ({"x": torch.ones(3)}, "dict"),
        ("folder", "str"),
        (iter([1]), "list_iterator"),
        (None, "NoneType"),
    ):
        with pytest.raises(
            TypeError,
            match=f"data is a {kind}; expected a tensor, a tuple of tensors, or a Dataset",
        ):
            Batches(bad, 2)
    for bad in (0, -1, 2.5, "8", True):
        with pytest.raises(ValueError, match="batch_size=.*at least 1"):
            Batches(torch.ones(4), bad)
    with pytest.raises(ValueError, match="num_workers=-1"):
        Batches(torch.ones(4), 2, num_workers=-1)


# Recipe


@pytest.mark.parametrize(
    "field,bad,words",
    [
        ("steps", 0, "at least 1"),
        ("lr", "1e-3", "text"),
        ("lr", -1.0, r"\(0, inf\)"),
        ("lr", math.nan, r"\(0, inf\)"),
        ("warmup", -1, "at least 0"),
        ("decay", "cosin", "'cosine', 'linear', 'none'; did you mean 'cosine'"),
        ("ema", 1.0, r"\[0, 1\)"),
        ("accumulate", 0, "at least 1"),
        ("clip", -1, r"\[0, inf\)"),
        ("precision", "bfloat16", "'no', 'bf16', 'fp16'"),
        ("seed", 1.5, "whole number"),
        ("weight_decay", True, r"\[0, inf\)"),
    ],
)
def test_a_recipe_names_a_field_that_is_out_of_range(field, bad, words):
    with pytest.raises(ValueError, match=rf"{field}=.*; expected .*{words}"):
        Recipe(**{field: bad})


@pytest.mark.parametrize("decay", ["cosine", "linear", "none"])
def test_the_rate_rises_and_falls(decay):
    r = Recipe(steps=50, warmup=10, decay=decay)
    f = [lr_factor(r, s) for s in range(50)]
    assert (
        f[:10] == [(s + 1) / 10 for s in range(10)]
        and f[10] == 1
        and all(a >= b for a, b in zip(f[10:], f[11:]))
    )
    assert (
        0 < f[-1] <= (1 if decay == "none" else 0.05)
        and 0 <= lr_factor(Recipe(steps=1), 0) <= 1
        and lr_factor(Recipe(steps=3, warmup=9), 2) == 3 / 9
    )


# The loop


def test_fit_is_the_loop_by_hand():
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    twin = nn.Linear(3, 1)
    twin.load_state_dict(net.state_dict())
    data, opt = (
        Batches(small_data(), 5),
        torch.optim.AdamW(twin.parameters(), 1e-2, weight_decay=0.0),
    )
    last = run(quick(net, Recipe(steps=12, lr=1e-2, decay="linear", clip=0.5), data=data))
    for s in range(12):
        opt.zero_grad()
        loss = mse(twin, data[s])
        loss.backward()
        norm = nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
        for g in opt.param_groups:
            g["lr"] = 1e-2 * (1 - s / 12)
        opt.step()
    assert_close(net.weight, twin.weight)
    assert_close(last.loss, loss.item())
    assert_close(last.grad_norm, norm.item())
    assert (
        last.step == 12 == len(last.history)
        and last.lr == pytest.approx(1e-2 / 12)
        and last.ema is net
    )


def test_four_batches_of_16_make_the_step_of_one_of_64():
    data = small_data(64)
    a, b = linear(0.1), linear(0.1)
    run(quick(a, Recipe(steps=1, accumulate=4), data=Batches(data, 16)))
    last = run(quick(b, Recipe(steps=1), data=Batches(data, 64)))
    assert_close(a.weight, b.weight)
    assert_close(a.weight.grad, b.weight.grad)
    assert last.step == 1


@pytest.mark.parametrize("norm", [1e-3, 50.0, 5123.0])
def test_clipping_bounds_the_step(norm):
    net = linear()
    data = [(torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.0]]))]
    last = run(
        quick(
            net,
            Recipe(steps=1, lr=1.0, clip=1.0, decay="none"),
            lambda m, b: m(b[0]).sum() * norm / math.sqrt(2),
            data=data,
            optimizer=lambda ps: torch.optim.SGD(ps, 1.0),
        )
    )
    assert last.grad_norm == pytest.approx(norm, rel=1e-4)
    assert torch.cat(
        [p.detach().flatten() for p in net.parameters()]
    ).norm().item() == pytest.approx(min(norm, 1.0), rel=1e-4)


def test_weight_decay_shrinks_matrices_only():
    net = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    run(
        quick(
            net,
            Recipe(steps=1, lr=0.1, weight_decay=0.5, decay="none"),
            lambda m, b: m(b[0]).sum() * 0,
            data=[small_data()],
        )
    )
    for k, v in net.state_dict().items():
        assert_close(v, before[k] * (0.95 if k == "0.weight" else 1.0))


def test_several_optimizers_share_the_schedule_and_keep_their_own_rates():
    net = nn.Linear(3, 1)
    opts = []

    def make(ps):
        opts.extend([torch.optim.SGD([ps[0]], 0.4, momentum=0.9), torch.optim.Adam([ps[1]], 0.2)])
        return opts

    run(quick(net, Recipe(steps=4, decay="linear"), optimizer=make))
    assert [o.param_groups[0]["lr"] for o in opts] == pytest.approx([0.1, 0.05])


def test_logs_are_means_and_history_is_complete():
    last = run(
        jobs.states(recipe=Recipe(steps=5, accumulate=2), validate=lambda m: 1.5, validate_every=5)
    )
    assert last.logs["twice"] == pytest.approx(2 * last.loss) and last.valid == last.best == 1.5
    assert (
        set(last.history[0]) == {"step", "loss", "lr", "grad_norm", "twice"}
        and "valid" in last.history[-1]
    )


def test_ema_is_the_average_and_grows_from_short_memory():
    net = linear()
    ema = EMA(net, 0.9)
    want = torch.zeros(1, 3)
    for s in range(30):
        with torch.no_grad():
            net.weight += 1
        d = min(0.9, (1 + s) / (10 + s))
        want = d * want + (1 - d) * net.weight.detach()
        ema.update(net, s)
    assert_close(ema.model.weight.data, want)
    assert not ema.model.training and not ema.model.weight.requires_grad
    last = run(jobs.states())
    assert last.ema is not last.model and torch.equal(last.ema[1].seen, last.model[1].seen)


def test_watching_does_not_change_the_run_and_the_run_does_not_change_the_watcher():
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    alone = torch.randn(3), np.random.rand(), random.random()
    states = jobs.states(recipe=Recipe(steps=6))  # this makes the model, from a seed of its own
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    a = run(states)
    seen = torch.randn(3), np.random.rand(), random.random()
    assert torch.equal(alone[0], seen[0]) and alone[1:] == seen[1:]
    for s in jobs.states(recipe=Recipe(steps=6)):
        torch.randn(5)
        random.random()
        s.model.eval()
    assert jobs.digest(a.model) == jobs.digest(s.model)


def test_repeated_and_interleaved_runs_of_other_precision():
    one, two = (
        jobs.states(recipe=Recipe(steps=5)),
        jobs.states(recipe=Recipe(steps=5, precision="bf16")),
    )
    kinds = []

    def peek(m, b):
        kinds.append(m[0](b[0]).dtype)
        return jobs.loss_fn(m, b)

    three = jobs.states(recipe=Recipe(steps=5, precision="bf16"), loss_fn=peek)
    ends = [[a.loss for a in s] for s in zip(one, two, three)]
    assert (
        kinds == [torch.bfloat16] * 5
        and ends[-1][1] == ends[-1][2] != ends[-1][0]
        and ends[-1][1] == pytest.approx(ends[-1][0], rel=0.05)
    )
    again = run(jobs.states(recipe=Recipe(steps=5)))
    assert again.loss == ends[-1][0]
    assert all(p.dtype == torch.float32 for p in again.model.parameters())
    with pytest.raises(ValueError, match="precision='fp16' needs CUDA"):
        next(jobs.states(recipe=Recipe(precision="fp16")))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_cuda(precision):
    last = run(jobs.states(recipe=Recipe(steps=20, precision=precision, ema=0.9), device="cuda"))
    assert (
        math.isfinite(last.loss)
        and next(last.model.parameters()).is_cuda
        and run(jobs.states(recipe=Recipe(steps=2))).loss
    )


# What it refuses


def poison(where, at):
    "A loss function that goes bad at step `at` in its input, its loss or one gradient."
    calls = []

    def loss_fn(m, b):
        calls.append(1)
        bad = len(calls) == at
        x = b[0].index_fill(0, torch.tensor([0]), math.nan) if bad and where == "input" else b[0]
        loss = F.mse_loss(m(x), b[1])
        if bad and where == "loss":
            loss = loss * math.inf
        if bad and where == "gradient":
            loss = loss + (m[4].weight[0, 0] * 0).sqrt()  # finite, with an infinite slope
        return loss

    return loss_fn


@pytest.mark.parametrize(
    "where,words",
    [
        ("input", "loss nan"),
        ("loss", "loss inf"),
        ("gradient", r"gradient of 4\.weight \(1 of 8 values\)"),
    ],
)
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_no_step_after_a_number_that_is_not_finite(tmp_path, where, words, ema):
    recipe = Recipe(steps=24, ema=ema)
    net = jobs.model()
    states = jobs.states(tmp_path, recipe, save_every=5, model=net, loss_fn=poison(where, 8))
    for s in states:
        if s.step == 7:
            before = jobs.digest(s.model, s.ema)
            break
    with pytest.raises(
        NonFiniteError,
        match=(
            rf"step 8, batch 7: .*{words}.*The step was not taken. The last good "
            rf"checkpoint is .*step_00000005"
        ),
    ):
        next(states)
    assert jobs.digest(s.model, s.ema) == before, "weights, buffers and average are as after step 7"
    assert load_checkpoint(tmp_path)["step"] == 5 and s.step == 7


def test_the_batch_is_named_when_the_data_is_bad():
    x, y = small_data()
    x[11, 2] = math.nan
    with pytest.raises(
        NonFiniteError,
        match=(
            r"step \d, batch \d: .*First bad tensor: batch\[0\] \(1 of 15 "
            r"values\).*pass folder= to fit"
        ),
    ):
        run(quick(linear(), Recipe(steps=4), data=Batches((x, y), 5)))
    with pytest.raises(NonFiniteError, match=r"step 1, batch 0 to 3: .*batch\[\d\]\[0\] \(1 of"):
        run(quick(linear(), Recipe(steps=1, accumulate=4), data=Batches((x, y), 5)))


HOST = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate "
    "memory: you tried to allocate 9 bytes."
)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore"),
        RuntimeError(HOST),
        MemoryError("no"),
    ],
)
def test_what_does_not_fit_into_memory_is_said_and_a_smaller_batch_works_after(tmp_path, error):
    calls, net = [], jobs.model()

    def loss_fn(m, b):
        calls.append(1)
        loss = jobs.loss_fn(m, b)  # the buffers have moved by now
        if len(calls) == 8 or len(calls) > 8 and len(b[0]) > 4:
            raise error
        return loss

    states = jobs.states(tmp_path, Recipe(steps=24), save_every=5, model=net, loss_fn=loss_fn)
    for s in states:
        if s.step == 7:
            before = jobs.digest(s.model)
            break
    words = (
        r"step 8 did not fit into memory and was not taken: .*accumulate=, "
        r"precision='bf16' or .* need less. The last good .*_00000005"
    )
    with pytest.raises(MemoryError, match=words):
        next(states)
    assert jobs.digest(net) == before and all(p.grad is None for p in net.parameters())
    small = Batches(jobs.data(), 4, seed=5)
    assert (
        run(
            jobs.states(
                None, Recipe(steps=3, accumulate=2), model=net, loss_fn=loss_fn, batches=small
            )
        ).step
        == 3
    )

    def other(m, b):
        raise RuntimeError("a shape is wrong")

    with pytest.raises(RuntimeError, match="^a shape is wrong$"):
        next(jobs.states(loss_fn=other))


def test_a_spike_is_reported_and_survived():
    data = Batches(small_data(), 5)
    calls = []

    def loss_fn(m, b):
        calls.append(1)
        return mse(m, b) * (100 if len(calls) == 15 else 1)

    last = run(quick(linear(), Recipe(steps=30), loss_fn, data=data))
    assert (
        15 in [step for step, _ in last.spikes]
        and max(ratio for _, ratio in last.spikes) > 20
        and math.isfinite(last.loss)
        and last.loss < 10
    )


def test_early_stopping_brings_the_best_weights_back():
    values, kept = iter([3.0, 1.0, 2.0, 2.0, 9.0]), []

    def validate(m):
        kept.append(m.weight.clone())
        return next(values)

    net = linear(0.5)
    last = run(
        quick(net, Recipe(steps=100, lr=0.1), validate=validate, validate_every=2, patience=2)
    )
    assert last.stopped and last.step == 8 and last.best == 1.0 and torch.equal(net.weight, kept[1])
    full = run(
        quick(linear(0.5), Recipe(steps=8, lr=0.1), validate=lambda m: 1.0, validate_every=2)
    )
    assert not full.stopped and full.step == 8
    with pytest.raises(ValueError, match="patience needs validate="):
        quick(linear(), Recipe(), patience=3)


@pytest.mark.parametrize(
    "kw,error,words",
    [
        (dict(recipe={"steps": 3}), TypeError, "recipe is a dict; expected a Recipe"),
        (dict(model=nn.ReLU()), ValueError, "ReLU has no parameter to train.*__init__"),
        (dict(save_every=0), ValueError, "save_every=0; expected a whole number"),
        (dict(validate=float, validate_every=2.5), ValueError, "validate_every=2.5"),
        (dict(validate=float, patience=0), ValueError, "patience=0"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_read(kw, error, words):
    with pytest.raises(error, match=words):
        fit(kw.pop("model", linear()), mse, None, kw.pop("recipe", Recipe()), **kw)


@pytest.mark.parametrize(
    "loss_fn,error,words",
    [
        (lambda m, b: m(b[0]), TypeError, r"a tensor of shape \(5, 1\); expected one number"),
        (lambda m, b: 3.0, TypeError, "returned a float"),
        (
            lambda m, b: torch.ones((), requires_grad=True),
            ValueError,
            "no parameter has a gradient",
        ),
    ],
)
def test_a_loss_that_cannot_be_trained_on_is_named(loss_fn, error, words):
    with pytest.raises(error, match=words):
        next(quick(linear(), Recipe(steps=1), loss_fn))


def test_odd_batches():
    assert run(quick(linear(), Recipe(steps=3), data=Batches(small_data(1), 1))).step == 3
    assert (
        run(quick(linear(), Recipe(steps=5), data=[small_data(), small_data(3)])).step == 5
    )  # any iterable is repeated
    with pytest.raises(ValueError, match="batches ended before step 2"):
        run(quick(linear(), Recipe(steps=5), data=iter([small_data()])))
    with pytest.raises(NonFiniteError, match="loss nan"):
        run(quick(linear(), Recipe(steps=1), data=[(torch.empty(0, 3), torch.empty(0, 1))]))
    with pytest.raises(ValueError, match="used up"):
        run(iter(()))


def test_importing_does_not_load_accelerate_or_touch_the_random_state():
    code = (
        "import torch; torch.manual_seed(3); a = torch.get_rng_state(); import mmgen.training, "
        "sys; "
        "assert torch.equal(a, torch.get_rng_state()); "
        "bad = {'accelerate', 'matplotlib', 'IPython', 'safetensors', 'tqdm'} & "
        "set(sys.modules); assert not bad - {'tqdm'}, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_progress_leaves_nothing_behind_and_plots_are_off_by_default(capfd):
    run(fit(linear(), mse, Batches(small_data(), 5), Recipe(steps=5), device="cpu"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shape", [(1, 5, 3), (2, 3, 5), (1, 4, 4), (3, 1, 6)])
def test_orthogonal_steps(shape):
    g = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u, _, v = torch.linalg.svd(g, full_matrices=False)
    flat = u.mT @ orthogonal(g, 8) @ v.mT
    values = flat.diagonal(dim1=1, dim2=2)
    assert_close(flat, torch.diag_embed(values), atol=1e-6, rtol=0)
    assert values.min() > 0.6 and values.max() < 1.25
    assert torch.equal(orthogonal(torch.zeros(shape)), torch.zeros(shape))


def test_muon_takes_matrices_only_and_descends():
    with pytest.raises(ValueError, match=r"matrices; got parameters of shape \[\(3,\)\]"):
        Muon([torch.nn.Parameter(torch.zeros(3))])
    w, target = (
        torch.nn.Parameter(torch.zeros(4, 6)),
        torch.randn(4, 6, generator=torch.Generator().manual_seed(0)),
    )
    opt = Muon([w], lr=0.3)
    for _ in range(60):
        opt.zero_grad()
        (w - target).square().mean().backward()
        opt.step()
    assert (w - target).square().mean() < 0.1 * target.square().mean()
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(4, 6), torch.nn.LayerNorm(6)
    )
    muon, adam = matrix_optimizers(net.parameters())
    held = [p for o in (muon, adam) for g in o.param_groups for p in g["params"]]
    assert len(held) == len({id(p) for p in held}) == len(list(net.parameters()))
    assert [tuple(p.shape) for p in muon.param_groups[0]["params"]] == [(6, 4)]


class Words(nn.Module):
    "The least transformer: a table of words, one of places, a hidden layer, a norm, a head."

    def __init__(self, tied=False):
        super().__init__()
        self.words, self.places, self.hidden, self.norm = (
            nn.Embedding(9, 4),
            nn.Embedding(5, 4),
            nn.Linear(4, 4),
            nn.LayerNorm(4),
        )
        self.head = nn.Linear(4, 9)
        if tied:
            self.head.weight = self.words.weight

    def forward(self, ids):
        return self.head(self.norm(self.hidden(self.words(ids) + self.places.weight)))


def names_in(model, opts):
    "{kind of optimizer: names of the parameters it moves}."
    name = {id(p): n for n, p in model.named_parameters()}
    return {
        type(o).__name__: [name[id(p)] for g in o.param_groups for p in g["params"]] for o in opts
    }


def test_tables_and_heads_are_for_adamw():
    net = Words()
    held = names_in(net, matrix_optimizers(net, adam=[net.head.weight]))
    assert held == {
        "Muon": ["hidden.weight"],
        "AdamW": [
            "words.weight",
            "places.weight",
            "hidden.bias",
            "norm.weight",
            "norm.bias",
            "head.weight",
            "head.bias",
        ],
    }
    assert set(embeddings(net)) == {"words.weight", "places.weight"}
    assert names_in(net, matrix_optimizers(net))["Muon"] == [
        "hidden.weight",
        "head.weight",
    ]  # a head cannot be told by itself
    tied = Words(tied=True)
    assert names_in(tied, matrix_optimizers(tied))["Muon"] == ["hidden.weight"]
    net.hidden.requires_grad_(False)
    assert list(names_in(net, matrix_optimizers(net, adam=[net.head.weight]))) == ["AdamW"]
    assert [type(o) for o in matrix_optimizers([nn.Parameter(torch.ones(2, 2))])] == [
        Muon
    ]  # none of either kind: no optimizer


def test_fit_refuses_muon_on_a_table():
    net, ids = Words(), torch.randint(9, (3, 5))
    before = jobs.digest(net)

    def loss(m, b):
        return F.cross_entropy(m(b).flatten(0, 1), b.flatten())

    def train(optimizer):
        return run(
            fit(
                net, loss, [ids], Recipe(steps=2), device="cpu", optimizer=optimizer, progress=False
            )
        )

    with pytest.raises(
        ValueError,
        match=(
            r"words\.weight, places\.weight to Muon, .*hidden matrices; "
            r".*matrix_optimizers\(model, adam="
        ),
    ):
        train(matrix_optimizers)
    with pytest.raises(ValueError, match="places.weight to Muon"):
        train(lambda _: [Muon([net.places.weight])])
    assert jobs.digest(net) == before
    assert train(lambda _: matrix_optimizers(net, adam=[net.head.weight])).step == 2


def our_models():
    "One of each kind, with the optimizers that the notebooks give it."
    from mmgen.dit import DiT, DiTConfig
    from mmgen.masked import MaskedPrior
    from mmgen.priors import ARPrior, PriorConfig
    from mmgen.transformer import block_optimizers
    from mmgen.vqgan import VQGAN, VQGANConfig, gan_optimizers
    from mmgen.vqvae import VQVAE, VQVAEConfig

    small = VQVAEConfig(width=8, n_codes=8, encoder_depth=1, decoder_depth=1)
    vqvae, gan, dit = (
        VQVAE(small),
        VQGAN(VQVAE(small), config=VQGANConfig(perceptual=0.0)),
        DiT(DiTConfig((1, 8, 8), 4, 16, 1, 1, 3)),
    )
    yield "VQVAE", vqvae, matrix_optimizers([p for p in vqvae.parameters() if p.requires_grad])
    yield "codec of VQGAN", gan, gan_optimizers(gan)(list(gan.parameters()))[0]
    for kind in (ARPrior, MaskedPrior):
        prior = kind(
            PriorConfig(n_codes=8, shape=(2, 2), n_classes=3, dim=16, depth=1, num_heads=1)
        )
        yield kind.__name__, prior, block_optimizers(prior)(prior.parameters())
    yield "DiT", dit, block_optimizers(dit)(dit.parameters())


def test_muon_has_the_hidden_matrices_of_our_models_and_nothing_else():
    inside = re.compile(
        r"(^|\.)(up|down|qkv|proj|fc1|fc2)\.weight$"
    )  # the linear maps of our blocks
    for name, model, opts in our_models():
        held = names_in(model, opts)
        want = [
            n
            for n, p in model.named_parameters()
            if inside.search(n) and p.ndim == 2 and not n.startswith("discriminator")
        ]
        assert held["Muon"] == want and want, name
        assert not {id(p) for p in embeddings(model).values()} & {
            id(p) for g in opts[0].param_groups for p in g["params"]
        }, name


class TwoPlayers(nn.Module):
    "Two weights; each loss depends on both."

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(2.0))


def test_two_losses_take_turns_on_the_same_batch():
    seen, net = [], TwoPlayers()

    def first(m, batch):
        seen.append(("a", batch.item()))
        return (m.a * m.b - batch).square().sum()

    def second(m, batch):
        seen.append(("b", batch.item()))
        return (m.a + m.b).square(), {"second": m.b}

    def players(params):
        return [torch.optim.SGD([net.a], 0.1), [torch.optim.SGD([net.b], 0.2)]]

    recipe = Recipe(steps=2, lr=1.0, decay="none", clip=0.0)
    batches = [torch.tensor([5.0]), torch.tensor([6.0])]
    state = run(
        fit(net, [first, second], batches, recipe, device="cpu", optimizer=players, progress=False)
    )
    a, b = 1.0, 2.0
    for batch in (5.0, 6.0):
        loss = (a * b - batch) ** 2
        a -= 0.1 * 2 * (a * b - batch) * b  # the first moves a alone,
        logged = b
        b -= 0.2 * 2 * (a + b)  # the second b alone, and sees the new a
    assert seen == [("a", 5.0), ("b", 5.0), ("a", 6.0), ("b", 6.0)]
    assert net.a.item() == pytest.approx(a, rel=1e-5) and net.b.item() == pytest.approx(b, rel=1e-5)
    assert state.loss == pytest.approx(loss, rel=1e-5) and state.logs["second"] == pytest.approx(
        logged, rel=1e-5
    )


def test_a_bad_second_turn_is_refused_and_turns_need_their_optimizers():
    net = TwoPlayers()
    losses = [lambda m, x: m.a * x.sum(), lambda m, x: m.b * math.nan]

    def players(params):
        return [torch.optim.SGD([net.a], 0.1), torch.optim.SGD([net.b], 0.1)]

    words = "step 1, batch 0.*The step of loss 2 was not taken; those of the losses before it were"
    with pytest.raises(NonFiniteError, match=words):
        run(
            fit(
                net,
                losses,
                [torch.ones(1)],
                Recipe(steps=3),
                device="cpu",
                optimizer=players,
                progress=False,
            )
        )
    assert net.b.item() == 2.0
    with pytest.raises(
        ValueError, match="optimizer gave 1 entries; expected one for each of 2 losses"
    ):
        run(fit(net, losses, [torch.ones(1)], Recipe(steps=3), device="cpu", progress=False))


def test_a_fit_that_nobody_iterates_says_so():
    def made():
        return fit(linear(), mse, Batches(small_data(), 5), Recipe(steps=2), device="cpu")

    with pytest.warns(UserWarning, match="no step was taken"):
        made()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(made())
        states = made()
        next(states)
        states.close()
        del states


def test_a_validation_that_begins_with_nan_does_not_hide_a_better_one():
    values = iter([math.nan, 2.0, 1.0, 3.0])
    last = run(
        quick(
            linear(0.5),
            Recipe(steps=4),
            validate=lambda model: next(values),
            validate_every=1,
            patience=3,
        )
    )
    assert last.step == 4 and last.best == 1.0


def test_a_folder_of_other_optimizers_is_refused(tmp_path):
    def go(make):
        return run(quick(linear(), Recipe(steps=4), folder=tmp_path, save_every=2, optimizer=make))

    go(lambda params: torch.optim.AdamW(params, 1e-2))
    assert go(lambda params: torch.optim.AdamW(params, 1e-2)).step == 4
    with pytest.raises(ValueError, match="learning rate of optimizer 0 was 0.01, now 0.0001"):
        go(lambda params: torch.optim.AdamW(params, 1e-4))
    with pytest.raises(ValueError, match="optimizer 0 was not a SGD"):
        go(lambda params: torch.optim.SGD(params, 1e-2, momentum=0.9))


class Guided(nn.Module):
    "A layer that learns in front of a part that others trained."

    def __init__(self, mode):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.part = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
        self.part.train(mode).requires_grad_(False)

    def forward(self, x):
        return self.part(self.layer(x))


@pytest.mark.parametrize("mode", [False, True])
def test_a_frozen_part_keeps_its_mode(mode):
    model = Guided(mode)
    norm = model.part[1]
    seen = []

    def loss(model, batch):
        seen.append([m.training for m in (model, model.layer, *model.part)])
        return model(batch).square().mean()

    x = torch.randn(64, 2) + 3
    recipe = Recipe(steps=6)
    options = dict(validate=lambda m: m(x).mean(), validate_every=2, device="cpu", progress=False)
    run(fit(model, loss, Batches(x, 8), recipe, **options))
    assert seen == [[True, True, mode, mode, mode]] * 6
    assert (norm.num_batches_tracked > 0) == mode


def test_a_model_that_was_loaded_in_evaluation_mode_is_trained():
    model = Guided(False).eval()
    state = run(
        fit(
            model,
            lambda m, b: m(b).square().mean(),
            Batches(torch.randn(8, 2), 4),
            Recipe(steps=1),
            device="cpu",
            progress=False,
        )
    )
    assert state.model.layer.training and not state.model.part[2].training


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_an_average_of_half_precision_is_refused(dtype):
    with pytest.raises(TypeError, match=f"weight is {dtype}, in which an average does not move"):
        EMA(nn.Linear(2, 2).to(dtype), 0.999)
