"""Priors: exact on worlds small enough to enumerate, samplers that draw what they say, caches,
orders, bad input, shipped weights.
"""

import json
import math
from itertools import combinations, permutations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from mmgen.core import data_path
from mmgen.data import DigitImages
from mmgen.features import digit_net, embed
from mmgen.masked import (
    SCHEDULES,
    MaskedPrior,
    confidence,
    gumbel,
    hide,
    masked_bound,
    masked_loss,
    sample_masked,
    still_open,
)
from mmgen.priors import (
    ARPrior,
    Drawn,
    PriorConfig,
    TablePrior,
    ar_loss,
    draw,
    draw_images,
    guide,
    halton,
    halton_order,
    last_codes,
    places_in_order,
    sharpen,
)
from mmgen.training import Batches, Muon, Recipe, fit, run
from mmgen.transformer import block_optimizers
from mmgen.vqvae import VQVAE, VQVAEConfig
from mmgen.weights import load_weights

SMALL = PriorConfig(n_codes=4, shape=(1, 3), n_classes=2, dim=16, depth=2, num_heads=2)
EVERY = torch.tensor(list(product(range(4), repeat=3)))  # (64, 3) all sentences
NONE = torch.zeros(64, dtype=torch.int64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def table(seed=0):
    p = (1.5 * torch.randn(64, generator=generator(seed), dtype=torch.float64)).softmax(0)
    return p.view(4, 4, 4)


def prior(make, config=SMALL, seed=0):
    torch.manual_seed(seed)
    p = make(config).eval()
    torch.nn.init.normal_(p.net.head.weight, std=0.7)
    return p


def shares(sentences):
    return torch.bincount(
        (sentences * torch.tensor([16, 4, 1])).sum(1), minlength=64
    ).double() / len(sentences)


def variation(a, b):
    return 0.5 * (a - b).abs().sum().item()


def floor(p, n=20_000, seed=9):
    return variation(
        shares(EVERY[torch.multinomial(p, n, replacement=True, generator=generator(seed))]), p
    )


def by_order(model, x, order, labels=NONE):
    "log p of x, places decided in this order."
    seen, total = torch.full_like(x, -1), 0.0
    for place in order:
        total = (
            total
            + model.predict(seen, labels)
            .double()
            .log_softmax(-1)[:, place]
            .gather(1, x[:, place, None])[:, 0]
        )
        seen = seen.clone()
        seen[:, place] = x[:, place]
    return total


# Drawing


def test_draw_follows_the_probabilities():
    logits = torch.tensor([[0.0, 1.0, -1.0, 2.0]]).expand(100_000, 4)
    found = draw(logits, generator()).bincount() / 100_000
    chi2 = (100_000 * (found - logits[0].softmax(0)) ** 2 / logits[0].softmax(0)).sum()
    assert chi2 < 16.3  # 3 degrees of freedom, one in a thousand


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 9), hole=st.integers(0, 8))
def test_draw_never_gives_what_is_forbidden(seed, k, hole):
    logits = torch.randn(50, k, generator=generator(seed))
    if k > 1:
        logits[:, hole % k] = -math.inf
    out = draw(logits, generator(seed))
    assert out.shape == (50,) and out.dtype == torch.int64 and out.min() >= 0 and out.max() < k
    if k > 1:
        assert (out != hole % k).all()


def test_draw_works_in_double_precision_and_repeats():
    logits = torch.tensor([0.0, math.log(1e-9)]).expand(1000, 2)
    assert torch.equal(
        draw(logits.bfloat16(), generator()), draw(logits.bfloat16().double(), generator())
    )
    assert torch.equal(draw(logits, generator(3)), draw(logits, generator(3)))


@pytest.mark.parametrize(
    "logits,error,words",
    [
        (torch.zeros(2, 3, dtype=torch.int64), TypeError, "torch.int64"),
        (torch.tensor([[math.nan, 0.0]]), ValueError, "NaN"),
        (torch.tensor([[-math.inf, -math.inf]]), ValueError, "-inf alone"),
        (torch.tensor([[math.inf, 0.0]]), ValueError, r"\+inf"),
    ],
)
def test_draw_names_bad_logits(logits, error, words):
    with pytest.raises(error, match=words):
        draw(logits)


def test_gumbel_is_a_draw_and_float32_is_capped():
    p = torch.tensor([0.1, 0.2, 0.7])
    found = (p.log() + gumbel((50_000, 3), generator())).argmax(-1).bincount() / 50_000
    assert_close(found, p, atol=0.01, rtol=0.0)
    assert (
        gumbel((10**6,), generator(), torch.float32).max() <= 16.7
        and gumbel((10,), generator()).dtype == torch.float64
    )
    assert gumbel((10**5,), generator()).isfinite().all()


def test_sharpen_against_a_loop():
    x = torch.randn(20, 9, generator=generator())
    for k, p in ((3, None), (None, 0.6), (4, 0.5), (None, 1.0), (100, None)):
        for row, got in zip(x, sharpen(x, top_k=k, top_p=p)):
            kept, total, q = [], 0.0, row.double().softmax(0)
            order = sorted(range(9), key=lambda i: -row[i].item())[:k]
            q = q / q[order].sum()
            for i in order:
                if p is not None and total >= p - 1e-12:
                    break
                kept.append(i)
                total += q[i].item()
            assert sorted(kept) == got.isfinite().nonzero().flatten().tolist()
            assert_close(got[kept], row[kept].double())


def test_sharpen_temperature():
    x = torch.randn(5, 7, generator=generator())
    assert_close(sharpen(x, 2.0), x.double() / 2)
    assert_close(sharpen(x), x.double())
    assert (
        torch.equal(sharpen(x, 0.0).isfinite().int().argmax(1), x.argmax(1))
        and (sharpen(x, 0.0).isfinite().sum(1) == 1).all()
    )
    assert sharpen(torch.zeros(2, 4), top_k=2).isfinite().sum(1).tolist() == [
        2,
        2,
    ]  # ties: still two


@pytest.mark.parametrize(
    "how,words",
    [
        ({"temperature": -0.1}, "temperature=-0.1"),
        ({"temperature": math.inf}, "temperature=inf"),
        ({"top_k": 0}, "top_k=0"),
        ({"top_k": 2.5}, "top_k=2.5"),
        ({"top_p": 0.0}, "top_p=0.0"),
        ({"top_p": 1.1}, "top_p=1.1"),
    ],
)
def test_sharpen_names_bad_dials(how, words):
    with pytest.raises(ValueError, match=words):
        sharpen(torch.zeros(1, 3), **how)


def test_guidance_identities():
    c, u = torch.randn(2, 3, 5, generator=generator(), dtype=torch.float64)
    assert_close(guide(c, u, 1.0), c)
    assert_close(guide(c, u, 0.0), u)
    assert_close(guide(c, u, 3.0), 3 * c - 2 * u)
    assert_close(
        guide(c.log_softmax(-1), u.log_softmax(-1), 2.5).softmax(-1), guide(c, u, 2.5).softmax(-1)
    )
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="guidance_scale="):
            guide(c, u, bad)
    with pytest.raises(ValueError, match="cond has shape"):
        guide(c, u[:1], 1.0)


# Orders and schedules


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_halton_visits_every_place_once(rows, columns):
    assert sorted(halton_order(rows, columns).tolist()) == list(range(rows * columns))


def test_halton_numbers_and_spread():
    assert_close(halton(5, 2), torch.tensor([0.5, 0.25, 0.75, 0.125, 0.625], dtype=torch.float64))
    assert_close(halton(4, 3), torch.tensor([1 / 3, 2 / 3, 1 / 9, 4 / 9], dtype=torch.float64))
    order = halton_order(8, 9)
    assert set((order[:2] // 9 // 4).tolist()) == {0, 1}  # upper and lower half at once
    assert places_in_order("columns", (2, 3)).tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_fall_from_all_to_none(name):
    values = [SCHEDULES[name](i / 20) for i in range(21)]
    assert (
        values[0] == pytest.approx(1)
        and values[-1] == pytest.approx(0, abs=1e-12)
        and values == sorted(values, reverse=True)
    )


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 60), n_steps=st.integers(1, 70), name=st.sampled_from(sorted(SCHEDULES)))
def test_every_pass_decides_something_and_the_last_everything(n, n_steps, name):
    now, total = torch.tensor([n]), torch.tensor([n])
    for i in range(n_steps):
        if not now.item():
            break
        after = still_open(total, now, (i + 1) / n_steps, name)
        assert 0 <= after < now
        now = after
    assert now.item() == 0


def test_hide_takes_the_share_asked_for():
    open_ = hide(
        torch.zeros(4, 10, dtype=torch.int64), torch.tensor([0.0, 0.11, 0.5, 1.0]), generator()
    )
    assert open_.sum(1).tolist() == [1, 2, 5, 10]
    often = (
        hide(torch.zeros(20_000, 5, dtype=torch.int64), torch.full((20_000,), 0.4), generator())
        .float()
        .mean(0)
    )
    assert_close(often, torch.full((5,), 0.4), atol=0.015, rtol=0.0)


# Exact likelihoods


def test_table_conditionals_against_a_loop():
    p, codes = table(), torch.tensor([[-1, 2, -1], [-1, -1, -1], [3, -1, 0]])
    got = TablePrior(p).predict(codes).exp()
    assert_close(got[0, 0], p[:, 2].sum(1) / p[:, 2].sum())
    assert_close(got[0, 2], p[:, 2].sum(0) / p[:, 2].sum())
    assert_close(got[1, 1], p.sum((0, 2)))
    assert_close(got[2, 1], p[3, :, 0] / p[3, :, 0].sum())
    assert got[2, 0].tolist() == [0, 0, 0, 1]
    with pytest.raises(ValueError, match="sum to 1"):
        TablePrior(2 * p)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_chain_rule_in_every_order(order):
    assert_close(by_order(TablePrior(table()), EVERY, order).exp(), table().flatten())


@pytest.mark.parametrize("order", ["raster", "columns", "halton"])
def test_ar_probabilities_sum_to_one_and_look_back_only(order):
    p = prior(
        ARPrior,
        PriorConfig(
            n_codes=3, shape=(2, 2), n_classes=2, dim=16, depth=2, num_heads=2, order=order
        ),
    )
    every = torch.tensor(list(product(range(3), repeat=4)))
    for label in (0, 1, 2):
        assert (
            -p.nll(every, torch.full((81,), label)).double()
        ).exp().sum().item() == pytest.approx(1, abs=1e-5)
    for i, place in enumerate(p.order.tolist()):
        other = every.clone()
        other[:, place] = (other[:, place] + 1) % 3
        felt = (
            (p.logits(other, torch.zeros(81).long()) - p.logits(every, torch.zeros(81).long()))
            .abs()
            .amax((0, 2))[p.order]
        )
        assert (felt[: i + 1] < 1e-6).all() and (felt[i + 1 :] > 1e-6).all()


def test_ar_learns_a_known_table():
    p, exact = (
        prior(
            ARPrior, PriorConfig(n_codes=4, shape=(1, 3), n_classes=1, dim=32, depth=2, num_heads=2)
        ),
        table(),
    )
    said = EVERY[torch.multinomial(exact.flatten(), 8000, replacement=True, generator=generator())]
    run(
        fit(
            p,
            ar_loss,
            Batches((said, torch.zeros(8000).long()), 256),
            Recipe(steps=250, lr=3e-3),
            device="cpu",
            progress=False,
        )
    )
    with torch.no_grad():
        nats = p.eval().nll(EVERY, NONE).double()
    gap = (
        (exact.flatten() * (nats + exact.flatten().log())).sum().item()
    )  # Kullback-Leibler divergence
    assert 0 <= gap < 0.05
    assert (exact.flatten() * nats).sum().item() == pytest.approx(
        torch.special.entr(exact).sum().item(), abs=0.05
    )


def enumerated_bound(model, x):
    "The bound by all sets of open places, independent of orders."
    n, total = x.shape[1], 0.0
    for m in range(1, n + 1):
        for places in combinations(range(n), m):
            open_ = torch.zeros(n, dtype=torch.bool)
            open_[list(places)] = True
            nats = F.cross_entropy(
                model.predict(x.masked_fill(open_, -1), NONE).double().mT, x, reduction="none"
            )
            total = total + (nats * open_).sum(1) / m / math.comb(n, m)
    return total


@torch.no_grad()
def test_any_order_bound_holds_and_is_tight_for_consistent_conditionals():
    net, exact = prior(MaskedPrior), TablePrior(table())
    for model in (net, exact):
        logs = torch.stack([by_order(model, EVERY, o) for o in permutations(range(3))])
        own = logs.exp().mean(0)  # the model's own probabilities, order at random
        assert own.sum().item() == pytest.approx(1, abs=1e-6)
        assert_close(enumerated_bound(model, EVERY), -logs.mean(0), atol=1e-6, rtol=0.0)
        assert (-logs.mean(0) >= -own.log() - 1e-9).all()
        assert_close(
            masked_bound(model, EVERY, NONE, 900, generator()), -logs.mean(0), atol=0.3, rtol=0.06
        )
    assert_close(enumerated_bound(exact, EVERY), -table().flatten().log())
    own = torch.stack([by_order(net, EVERY, o) for o in permutations(range(3))]).exp().mean(0)
    assert (
        enumerated_bound(net, EVERY) + own.log()
    ).max() > 0.01  # a network's conditionals disagree


def test_two_equal_bits_cost_ln_2():
    bound = masked_bound(
        TablePrior(torch.eye(2) / 2), torch.tensor([[0, 0], [1, 1]]), NONE[:2], 2, generator()
    )
    assert bound.tolist() == pytest.approx([math.log(2)] * 2)


def test_linear_masked_loss_is_the_bound_per_code():
    net = prior(MaskedPrior).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        loss = sum(masked_loss(net, (EVERY, NONE), "linear")[0].item() for _ in range(300)) / 300
        assert loss == pytest.approx(enumerated_bound(net, EVERY).mean().item() / 3, rel=0.02)


# Samplers against exact tables

N = 20_000
MANY = torch.zeros(N, dtype=torch.int64)


@torch.no_grad()
def test_ar_samples_follow_its_own_probabilities():
    p = prior(ARPrior)
    exact = (-p.nll(EVERY, NONE)).double().exp()
    assert variation(shares(last_codes(p.sample(MANY, generator=generator()))), exact) < 2 * floor(
        exact
    )
    sharp = (
        (p.logits(EVERY, NONE).double() / 0.5)
        .log_softmax(-1)
        .gather(-1, EVERY[..., None])
        .sum((1, 2))
        .exp()
    )
    assert variation(
        shares(last_codes(p.sample(MANY, temperature=0.5, generator=generator()))), sharp
    ) < 2 * floor(sharp)


@torch.no_grad()
def test_guided_ar_samples_follow_the_product():
    p = prior(ARPrior)
    cond, uncond = p.logits(EVERY, NONE).double(), p.logits(EVERY, NONE + p.null).double()
    exact = (
        (uncond + 2.0 * (cond - uncond))
        .log_softmax(-1)
        .gather(-1, EVERY[..., None])
        .sum((1, 2))
        .exp()
    )
    assert variation(
        shares(last_codes(p.sample(MANY, guidance_scale=2.0, generator=generator()))), exact
    ) < 2 * floor(exact)


@pytest.mark.parametrize("order", ["raster", "random", "halton", torch.tensor([2, 0, 1])])
def test_one_place_per_pass_is_exact(order):
    exact = TablePrior(table())
    assert variation(
        shares(
            last_codes(sample_masked(exact, MANY, n_steps=3, order=order, generator=generator()))
        ),
        exact.p,
    ) < 2 * floor(exact.p)


@torch.no_grad()
def test_random_order_draws_the_networks_own_mixture():
    net = prior(MaskedPrior)
    own = torch.stack([by_order(net, EVERY, o) for o in permutations(range(3))]).exp().mean(0)
    assert variation(
        shares(last_codes(net.sample(MANY, n_steps=3, order="random", generator=generator()))), own
    ) < 2 * floor(own)


def test_parallel_draws_and_confidence_are_not_exact():
    p, exact = table(), TablePrior(table())
    product_p = (p.sum((1, 2))[:, None, None] * p.sum((0, 2))[:, None] * p.sum((0, 1))).flatten()
    at_once = shares(
        last_codes(sample_masked(exact, MANY, n_steps=1, order="random", generator=generator()))
    )
    assert (
        variation(at_once, product_p) < 2 * floor(product_p) and variation(at_once, exact.p) > 0.2
    )
    assert variation(
        shares(last_codes(sample_masked(exact, MANY, n_steps=3, noise=0.0, generator=generator()))),
        exact.p,
    ) > 5 * floor(exact.p)
    assert variation(
        shares(last_codes(sample_masked(exact, MANY, n_steps=3, noise=1e6, generator=generator()))),
        exact.p,
    ) < 2 * floor(exact.p)


# Samplers as generators

GRID = PriorConfig(n_codes=6, shape=(3, 4), n_classes=3, dim=16, depth=2, num_heads=2)
LABELS = torch.tensor([0, 1, 2, 0, 1])


@pytest.mark.parametrize("order", ["confidence", "random", "halton", "raster"])
@pytest.mark.parametrize("n_steps", [1, 4, 12, 30])
def test_decided_codes_never_change(order, n_steps):
    net, before, steps = prior(MaskedPrior, GRID), torch.full((5, 12), -1), 0
    for state in net.sample(
        LABELS, n_steps=n_steps, order=order, guidance_scale=1.5, generator=generator()
    ):
        assert isinstance(state, Drawn) and torch.equal(
            state.codes[before >= 0], before[before >= 0]
        )
        assert (
            torch.equal(state.fresh, (state.codes >= 0) & (before < 0)) and state.fresh.any(1).all()
        )
        before, steps = state.codes, state.step
    assert before.min() >= 0 and before.max() < 6 and steps == min(n_steps, 12)


@pytest.mark.parametrize("order", ["raster", "columns", "halton"])
@pytest.mark.parametrize("scale", [1.0, 2.0, lambda t: 1 + t])
def test_cache_gives_equal_codes(order, scale):
    p = prior(ARPrior, PriorConfig(**{**vars(GRID), "order": order}))
    states = list(p.sample(LABELS, guidance_scale=scale, generator=generator()))
    assert torch.equal(
        states[-1].codes,
        last_codes(p.sample(LABELS, guidance_scale=scale, cache=False, generator=generator())),
    )
    assert len(states) == 12 and [st.fresh.sum(1).unique().tolist() for st in states] == [[1]] * 12


def test_completion_keeps_what_was_given():
    net, codes = prior(MaskedPrior, GRID), torch.randint(0, 6, (5, 12), generator=generator())
    codes[:, 5:] = -1
    codes[0, :] = torch.arange(12) % 6  # a row that is full already
    given = codes.clone()
    out = last_codes(net.sample(LABELS, n_steps=3, codes=codes, generator=generator()))
    assert (
        torch.equal(codes, given)
        and torch.equal(out[given >= 0], given[given >= 0])
        and out.min() >= 0
    )


def test_sampling_puts_the_mode_back_and_uses_no_dropout():
    for make in (ARPrior, MaskedPrior):
        p = prior(make, GRID).train()
        a, b = (last_codes(p.sample(LABELS, generator=generator())) for _ in range(2))
        assert (
            p.training
            and torch.equal(a, b)
            and torch.equal(a, last_codes(p.eval().sample(LABELS, generator=generator())))
        )


@pytest.mark.parametrize(
    "how,error,words",
    [
        ({"order": "spiral"}, ValueError, "order='spiral'"),
        ({"order": torch.arange(3)}, ValueError, "places 0 to 11 once"),
        ({"n_steps": 0}, ValueError, "n_steps=0"),
        ({"schedule": "cosin"}, ValueError, "schedule='cosin'; expected one of 'cosine'"),
        ({"codes": torch.zeros(5, 3).long()}, ValueError, r"expected \(5, 12\)"),
        ({"codes": torch.full((5, 12), 6)}, IndexError, "expected 0 to 5"),
        ({"codes": torch.zeros(5, 12)}, TypeError, "int64"),
        ({"guidance_scale": math.nan}, ValueError, "guidance_scale=nan"),
        ({"noise": math.nan}, ValueError, "noise=nan"),
    ],
)
def test_bad_arguments_of_the_masked_sampler(how, error, words):
    with pytest.raises(error, match=words):
        last_codes(prior(MaskedPrior, GRID).sample(LABELS, **how))


def test_bad_labels_and_used_up_states():
    with pytest.raises(IndexError, match="labels"):
        last_codes(prior(ARPrior, GRID).sample(LABELS + 5))
    states = prior(ARPrior, GRID).sample(LABELS)
    last_codes(states)
    with pytest.raises(ValueError, match="used up"):
        last_codes(states)


def test_a_line_of_codes_has_no_columns():
    line = dict(n_codes=4, shape=(5,), n_classes=1, dim=16, depth=1, num_heads=2)
    assert last_codes(ARPrior(PriorConfig(**line)).sample(LABELS * 0)).shape == (5, 5)
    assert (
        last_codes(MaskedPrior(PriorConfig(**line)).sample(LABELS * 0, order="raster")).min() >= 0
    )
    with pytest.raises(ValueError, match="rows and columns"):
        PriorConfig(**line, order="columns")


@pytest.mark.parametrize(
    "field,value",
    [
        ("n_codes", 1),
        ("n_classes", 0),
        ("label_drop", 1.0),
        ("order", "spiral"),
        ("dim", 30),
        ("depth", 0),
    ],
)
def test_bad_config_is_named(field, value):
    with pytest.raises(ValueError, match=field):
        PriorConfig(**{field: value})


def test_confidence_is_log_p_of_the_candidate():
    logits, new = torch.randn(2, 3, 4, generator=generator()), torch.tensor([[0, 3, -1], [2, 1, 0]])
    got = confidence(logits, new, 0.0)
    for i, j in ((0, 0), (0, 1), (1, 2)):
        assert_close(got[i, j], logits[i, j].double().log_softmax(0)[new[i, j]])


# Training, saving, generating


def test_only_block_matrices_go_to_muon():
    p = prior(MaskedPrior, GRID)
    muon, adam = block_optimizers(p)(p.parameters())
    name = {id(q): n for n, q in p.named_parameters()}
    inside = [name[id(q)] for q in muon.param_groups[0]["params"]]
    assert isinstance(muon, Muon) and inside and all(".blocks." in n for n in inside)
    rest = [name[id(q)] for q in adam.param_groups[0]["params"]]
    assert {"net.tokens.weight", "net.head.weight", "labels.table.weight"} <= set(rest) and len(
        rest
    ) + len(inside) == len(name)


@pytest.mark.parametrize("make,loss", [(ARPrior, ar_loss), (MaskedPrior, masked_loss)])
def test_every_part_learns_and_runs_repeat(make, loss):
    codes = (torch.arange(12) + torch.arange(40)[:, None]) % 6

    def train():
        torch.manual_seed(0)
        p = make(GRID)
        return run(
            fit(
                p,
                loss,
                Batches((codes, torch.arange(40) % 3), 16),
                Recipe(steps=100),
                device="cpu",
                optimizer=block_optimizers(p, adam_lr=2e-3),
                progress=False,
            )
        )

    a, b = train(), train()
    assert sum(h["bits"] for h in a.history[-20:]) < 0.9 * sum(h["bits"] for h in a.history[:20])
    for k, v in a.model.state_dict().items():
        assert torch.equal(v, b.model.state_dict()[k]), k
    loss(a.model.train(), (codes, torch.arange(40) % 3))[0].backward()
    for name, q in a.model.named_parameters():
        assert q.grad is not None and q.grad.isfinite().all(), name


@pytest.mark.parametrize("make", [ARPrior, MaskedPrior])
def test_saved_and_loaded_it_is_the_same(make, tmp_path):
    p = prior(make, PriorConfig(**{**vars(GRID), "order": "halton"}))
    p.save_pretrained(tmp_path)
    again = make.from_pretrained(tmp_path)
    assert again.config == p.config and torch.equal(
        last_codes(again.sample(LABELS, generator=generator())),
        last_codes(p.sample(LABELS, generator=generator())),
    )


def test_generate_decodes_what_it_draws():
    torch.manual_seed(0)
    vqvae = VQVAE(VQVAEConfig(width=8, encoder_depth=1, decoder_depth=1, n_codes=6, dim=4)).eval()
    x, k = draw_images(prior(MaskedPrior, GRID), vqvae, LABELS, seed=1, batch_size=2, n_steps=3)
    assert x.shape == (5, 1, 12, 16) and k.shape == (5, 3, 4)
    with torch.no_grad():
        assert_close(x, vqvae.decode_indices(k).clamp(-1, 1))
    assert torch.equal(
        k, draw_images(prior(MaskedPrior, GRID), vqvae, LABELS, seed=1, batch_size=2, n_steps=3)[1]
    )


# The shipped weights

SHIPPED = {"ar": ARPrior, "masked": MaskedPrior}


@pytest.mark.parametrize("kind", SHIPPED)
def test_shipped_weights_are_small_and_say_how_they_were_made(kind):
    folder = data_path("weights", f"prior_{kind}")
    record = load_weights(folder / "model.safetensors").record
    assert f"priors.py {kind}" in record["command"] and record["commit"] and record["seed"] == 0
    assert json.loads((folder / "model.json").read_text(encoding="utf8"))["record"] == record
    assert (folder / "model.safetensors").stat().st_size < 2_000_000
    measured = record["measured"]
    assert measured["samples"] >= 1000 and measured["frechet"] > 0
    if kind == "ar":
        assert (
            measured["recognised"] >= 0.99 and measured["frechet"] <= 4 * measured["frechet_floor"]
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHIPPED)
@torch.no_grad()
def test_shipped_weights_reproduce_their_record(kind):
    folder = data_path("weights", f"prior_{kind}")
    want = load_weights(folder / "model.safetensors").record["measured"]
    p, vqvae = (
        SHIPPED[kind].from_pretrained(folder).eval(),
        VQVAE.from_pretrained(data_path("weights", "vqvae_mnist")).eval(),
    )
    x, y = (t[:1000] for t in DigitImages("test").tensors())
    k = torch.cat([vqvae.indices(part) for part in x.split(1000)]).flatten(1)
    nats = p.nll(k, y) if kind == "ar" else masked_bound(p, k, y, 10, generator())
    assert nats.mean().item() / math.log(2) == pytest.approx(want["bits_per_image"], rel=5e-3)
    labels = torch.arange(want["samples"]) % 10
    images, _ = draw_images(p, vqvae, labels, 0, **want["sampling"])
    net = digit_net()
    assert (embed(images, net.forward).argmax(1) == labels).float().mean().item() == pytest.approx(
        want["recognised"], abs=0.006
    )


def test_codes_labels_and_tokenizers_that_do_not_fit_are_told():
    ar, masked = ARPrior(GRID), MaskedPrior(GRID)
    n, y = ar.n_places, torch.zeros(2, dtype=torch.int64)
    for prior, read in ((ar, ar.nll), (ar, ar.logits), (masked, masked.predict)):
        with pytest.raises(
            ValueError,
            match=(
                r"codes has shape \(2, \d+, \d+\); expected \(b, \d+\): of grids, "
                r"codes.flatten\(1\)"
            ),
        ):
            read(torch.zeros(2, *prior.shape, dtype=torch.int64), y)
        with pytest.raises(IndexError, match=rf"indices run from 0 to {prior.n_codes}"):
            codes = torch.zeros(2, n, dtype=torch.int64)
            codes[1, -1] = prior.n_codes
            read(codes, y)
    other = VQVAE(VQVAEConfig(n_codes=ar.n_codes + 1, width=16))
    with pytest.raises(ValueError, match="vqvae has 7 codes, prior 6; expected the tokenizer"):
        draw_images(ar, other, y)
    assert (
        draw_images(ar, VQVAE(VQVAEConfig(n_codes=6, width=16)), [0, 1])[0].shape[0] == 2
    )  # labels may be a list
