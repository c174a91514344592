"""Exercises of the training notebook."""

import copy
import math
import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .engine import Exercise, wrong


class LrFactor(Exercise):
    "Warm-up, then half a cosine"

    id = "training.lr_factor"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S0-Q6",)
    task = (
        "Return the share of the highest learning rate at `step` 0, 1, ..: it rises by equal "
        "amounts over the first `warmup` steps "
        "and is 1 at the last of them, then it falls along half a cosine from 1 at step "
        "`warmup` to 0 at step `steps`. "
        "`warmup` may be 0."
    )
    starter = """
def lr_factor(step, warmup, steps):  # ints -> float in [0, 1]
    ...
"""
    hints = (
        "Two cases. In the first, which share has the very first step: none, or one part of "
        "`warmup`?",
        "After warm-up, count how much of the rest is done: 0 at step warmup, 1 at steps. A "
        "cosine runs from 1 to -1; bring that "
        "to 1 .. 0.",
        "if step < warmup: return (step + 1) / warmup; done = (step - warmup) / (steps - "
        "warmup); (1 + math.cos(math.pi * done)) / 2",
    )

    def reference(step, warmup, steps):
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / (steps - warmup)
        return 0.5 * (1 + math.cos(math.pi * done))

    def another(step, warmup, steps):
        rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
        return rise * math.cos(math.pi / 2 * max(0, step - warmup) / (steps - warmup)) ** 2

    def check(t, lr_factor):
        def ask(steps, warmup, end):
            return [float(t.call(lr_factor, s, warmup, end)) for s in steps]

        t.equal(
            "warm-up rises in equal parts",
            ask(range(4), 4, 16),
            [0.25, 0.5, 0.75, 1.0],
            given="warmup 4, steps 16, step 0 to 3",
            because=(
                "step counts from 0, so step / warmup wastes the first step on a rate of 0 "
                "and never reaches 1"
            ),
        )
        root = math.sqrt(2) / 4  # (1 + cos 45 degrees) / 2 = 1/2 + root
        t.equal(
            "half a cosine from 1 to 0 after warm-up",
            ask((4, 7, 10, 13, 16), 4, 16),
            [1.0, 0.5 + root, 0.5, 0.5 - root, 0.0],
            given="warmup 4, steps 16, at 0, 1/4, 1/2, 3/4 and all of the decay",
            because="the decay begins at step warmup, not at 0; it is (1 + cos) / 2 over half "
            "a period; a line "
            "passes 0.75 at a quarter",
        )
        t.equal(
            "no warm-up is allowed",
            ask((0, 2, 3, 4, 6), 0, 6),
            [1.0, 0.75, 0.5, 0.25, 0.0],
            given="warmup 0, steps 6",
            because="with warmup 0 the first case must not be entered",
        )
        long = ask(range(60), 11, 60)
        t.true(
            "it rises, then falls, within 0 and 1",
            all(0 <= v <= 1 for v in long)
            and max(long) == 1
            and long.index(1.0) == 10
            and all(a < b for a, b in zip(long[:10], long[1:11]))
            and all(a > b for a, b in zip(long[11:], long[12:])),
            got=[round(v, 3) for v in long[8:14]],
            expected="the top at steps 10 and 11",
            given="warmup 11, steps 60",
            because="a jump where the two pieces meet",
        )

    @wrong("warm-up rises in equal parts")
    def starts_at_zero(step, warmup, steps):
        if step < warmup:
            return step / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))

    @wrong("half a cosine from 1 to 0 after warm-up")
    def cosine_from_step_zero(step, warmup, steps):
        return (
            (step + 1) / warmup if step < warmup else 0.5 * (1 + math.cos(math.pi * step / steps))
        )

    @wrong("half a cosine from 1 to 0 after warm-up")
    def down_to_minus_one(step, warmup, steps):
        return (
            (step + 1) / warmup
            if step < warmup
            else math.cos(math.pi * (step - warmup) / (steps - warmup))
        )

    @wrong("half a cosine from 1 to 0 after warm-up")
    def a_line(step, warmup, steps):
        return (step + 1) / warmup if step < warmup else 1 - (step - warmup) / (steps - warmup)

    @wrong("half a cosine from 1 to 0 after warm-up")
    def degrees(step, warmup, steps):
        return (
            (step + 1) / warmup
            if step < warmup
            else 0.5 * (1 + math.cos(180 * (step - warmup) / (steps - warmup)))
        )

    @wrong("division by zero")
    def divides_by_the_warmup(step, warmup, steps):
        return min(
            (step + 1) / warmup,
            0.5 * (1 + math.cos(math.pi * max(0, step - warmup) / (steps - warmup))),
        )

    @wrong("half a cosine from 1 to 0 after warm-up")
    def whole_period(step, warmup, steps):
        return (
            (step + 1) / warmup
            if step < warmup
            else 0.5 * (1 + math.cos(2 * math.pi * (step - warmup) / (steps - warmup)))
        )


class BatchOf(Exercise):
    "Which examples are batch s?"

    id = "training.batch_of"
    difficulty, importance, minutes = 3, 4, 10
    task = (
        "An endless stream is one shuffled pass over `n` examples after another; batch `s` is "
        "its positions s * batch_size and on, so "
        "a batch may span passes. Return the example indices, int64 (batch_size,), from the "
        "arguments alone: whatever is drawn "
        "elsewhere, before or after, must neither change the answer nor be changed by it."
    )
    starter = """
def batch_of(s, n, batch_size, seed):  # -> int64 (batch_size,)
    ...
"""
    hints = (
        "Position p of the stream lies in pass p // n, at place p % n. What decides the order "
        "of one pass?",
        "Give each pass its own torch.Generator, seeded by (seed, pass). Two runs with "
        "neighbouring seeds must not share passes.",
        "order = torch.randperm(n, generator=torch.Generator().manual_seed(seed * 1_000_003 + "
        "e)) for pass e",
    )

    def reference(s, n, batch_size, seed):
        first, last = s * batch_size, (s + 1) * batch_size
        passes = range(first // n, (last - 1) // n + 1)
        stream = torch.cat(
            [
                torch.randperm(n, generator=torch.Generator().manual_seed(seed * 1_000_003 + e))
                for e in passes
            ]
        )
        return stream[first - passes[0] * n :][:batch_size]

    def another(s, n, batch_size, seed):
        def at(p):
            return random.Random(f"{seed}, pass {p // n}").sample(range(n), n)[p % n]

        return torch.tensor([at(p) for p in range(s * batch_size, (s + 1) * batch_size)])

    def check(t, batch_of):
        state, others = torch.get_rng_state(), (random.getstate(), str(np.random.get_state()))
        got = t.call(batch_of, 2, 7, 3, 0)
        t.shape(
            "every batch is full",
            got,
            (3,),
            given="n = 7, batch_size 3, batch 2: positions 6, 7, 8",
            because="a batch goes on into the next pass instead of ending short",
        )
        t.true(
            "indices are int64",
            got.dtype == torch.int64,
            got=str(got.dtype),
            expected="torch.int64",
        )
        t.true(
            "the random numbers of others are left alone",
            torch.equal(state, torch.get_rng_state()),
            got="the global generator has moved",
            expected="its state as before",
            because=(
                "torch.manual_seed and randperm without generator= use the global one; "
                "make a torch.Generator"
            ),
        )
        t.true(
            "the random numbers of others are left alone",
            others == (random.getstate(), str(np.random.get_state())),
            got="the global generator of random or of numpy has moved",
            expected="its state as before",
            because="random.Random(seed), np.random.default_rng(seed) are generators of your own",
        )
        first = t.call(batch_of, 2, 70, 30, 0)
        torch.rand(5)
        t.equal(
            "the same batch when asked again",
            t.call(batch_of, 2, 70, 30, 0),
            first,
            given="n = 70, batch_size 30, batch 2; five numbers drawn in between",
            because="the order comes from a generator that remembers; seed a new one in each call",
        )

        def stream(n, b, seed, passes):
            parts = [t.call(batch_of, s, n, b, seed) for s in range(passes * n // b)]
            for s, part in enumerate(parts):
                t.shape(
                    "every batch is full",
                    part,
                    (b,),
                    given=f"n = {n}, batch_size {b}, batch {s}",
                    because="a batch may span more than two passes",
                )
            return torch.cat(parts).view(passes, n)

        for n, b in ((7, 3), (3, 7), (6, 2)):
            rows = stream(n, b, 1, 3 * b)
            t.equal(
                "each pass holds every example once",
                rows.sort(1).values,
                torch.arange(n).expand(3 * b, n),
                given=f"{3 * b} passes over {n} examples in batches of {b}",
                because=(
                    "the order belongs to a pass, not to a batch, and the batches cut the "
                    "stream without gap or overlap"
                ),
            )
        a, b = (
            torch.stack([t.call(batch_of, s, 20, 20, seed) for s in range(120)]) for seed in (0, 1)
        )  # (120 passes, 20)
        t.true(
            "passes differ",
            len(a.unique(dim=0)) == 120,
            got="two passes in one order",
            expected="a new order for each pass",
            given="120 passes over 20 examples",
            because="the pass number must enter the seed",
        )
        t.true(
            "seeds share no pass",
            len(torch.cat([a, b]).unique(dim=0)) == 240,
            got="a pass of seed 0 is a pass of seed 1",
            expected="unrelated orders",
            given="120 passes each of seed 0 and seed 1 over 20 examples",
            because="seed + pass is one number for pass 1 of seed 0 and pass 0 of seed 1, and "
            "seed * 10 + pass for pass 10, so the next seed gives no new run; and a "
            "torch generator on the CPU reads only the low 32 bits of its seed",
        )

    @wrong("every batch is full")
    def short_at_the_end(s, n, batch_size, seed):
        per = -(-n // batch_size)
        g = torch.Generator().manual_seed(seed * 1_000_003 + s // per)
        return torch.randperm(n, generator=g)[s % per * batch_size :][:batch_size]

    @wrong("each pass holds every example once")
    def rest_dropped(s, n, batch_size, seed):
        per = max(1, n // batch_size)
        g = torch.Generator().manual_seed(seed * 1_000_003 + s // per)
        return torch.randperm(n, generator=g).repeat(batch_size)[s % per * batch_size :][
            :batch_size
        ]

    @wrong("each pass holds every example once")
    def with_replacement(s, n, batch_size, seed):
        return torch.randint(
            0, n, (batch_size,), generator=torch.Generator().manual_seed(seed * 1_000_003 + s)
        )

    @wrong("each pass holds every example once")
    def an_order_per_batch(s, n, batch_size, seed):
        return torch.randperm(
            n, generator=torch.Generator().manual_seed(seed * 1_000_003 + s)
        ).repeat(batch_size)[:batch_size]

    @wrong("the random numbers of others are left alone")
    def global_generator(s, n, batch_size, seed):
        torch.manual_seed(seed)
        return torch.cat([torch.randperm(n) for _ in range((s + 1) * batch_size // n + 1)])[
            s * batch_size : (s + 1) * batch_size
        ]

    @wrong("the same batch when asked again")
    def unseeded(s, n, batch_size, seed):
        g = torch.Generator()
        g.seed()
        first = s * batch_size
        return torch.cat(
            [torch.randperm(n, generator=g) for _ in range((first + batch_size) // n + 1)]
        )[first : first + batch_size]

    @wrong("passes differ")
    def one_order_for_all(s, n, batch_size, seed):
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        return order[torch.arange(s * batch_size, (s + 1) * batch_size) % n]

    @wrong("seeds share no pass")
    def seed_times_ten(s, n, batch_size, seed):
        def order(e):
            return torch.randperm(n, generator=torch.Generator().manual_seed(seed * 10 + e))

        return torch.stack(
            [order(p // n)[p % n] for p in range(s * batch_size, (s + 1) * batch_size)]
        )

    @wrong("seeds share no pass")
    def seed_plus_pass(s, n, batch_size, seed):
        def order(e):
            return torch.randperm(n, generator=torch.Generator().manual_seed(seed + e))

        return torch.stack(
            [order(p // n)[p % n] for p in range(s * batch_size, (s + 1) * batch_size)]
        )

    @wrong("seeds share no pass")
    def seed_in_the_high_bits(s, n, batch_size, seed):
        def order(e):
            return torch.randperm(n, generator=torch.Generator().manual_seed(seed * 2**32 + e))

        return torch.stack(
            [order(p // n)[p % n] for p in range(s * batch_size, (s + 1) * batch_size)]
        )

    @wrong("the random numbers of others are left alone")
    def global_numpy(s, n, batch_size, seed):
        np.random.seed(seed)
        passes = -(-(s + 1) * batch_size // n)
        stream = np.concatenate([np.random.permutation(n) for _ in range(passes)])
        return torch.from_numpy(stream[s * batch_size : (s + 1) * batch_size].astype(np.int64))

    @wrong("the random numbers of others are left alone")
    def global_python(s, n, batch_size, seed):
        random.seed(seed)
        stream = []
        while len(stream) < (s + 1) * batch_size:
            stream += random.sample(range(n), n)
        return torch.tensor(stream[s * batch_size : (s + 1) * batch_size])

    @wrong("every batch is full")
    def two_passes(s, n, batch_size, seed):
        first, at = divmod(s * batch_size, n)
        orders = [
            torch.randperm(n, generator=torch.Generator().manual_seed(1000 * seed + p))
            for p in (first, first + 1)
        ]
        return torch.cat(orders)[at : at + batch_size]


class Trainable(Exercise):
    "A network with something to train"

    id, kind = "training.trainable", "bug"
    difficulty, importance, minutes = 1, 4, 5
    covers = ("S1-B1.2", "S3-B1.3", "S3-B1.4")
    bug = "the parameters of two linear layers"
    task = (
        "`Net(n_in, n_hidden, n_out)` shall be two linear layers with a ReLU between, for `x` "
        "(b, n_in). An optimizer over its "
        "parameters refuses an empty list, and two calls on one input differ. Repair it."
    )
    starter = """
class Net(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.sizes = n_in, n_hidden, n_out

    def forward(self, x):  # (b, n_in) -> (b, n_out)
        n_in, n_hidden, n_out = self.sizes
        first = nn.Linear(n_in, n_hidden)
        second = nn.Linear(n_hidden, n_out)
        return second(first(x).relu())
"""
    hints = (
        "How often are the two layers made, and who still knows them when forward has returned?",
        "nn.Module finds the layers that are assigned to self, or held in nn.Sequential or "
        "nn.ModuleList; a plain list hides them.",
        "Move both lines to __init__ as self.first = .. and self.second = ..",
    )

    class reference(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.first = nn.Linear(n_in, n_hidden)
            self.second = nn.Linear(n_hidden, n_out)

        def forward(self, x):
            return self.second(self.first(x).relu())

    class another(nn.Sequential):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__(nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out))

    def another2(n_in, n_hidden, n_out):
        return nn.Sequential(nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out))

    def check(t, Net):
        net = t.call(Net, 5, 4, 3)
        t.true(
            "Net gives an nn.Module",
            isinstance(net, nn.Module),
            got=f"a {type(net).__name__}",
            expected="an nn.Module",
            because=(
                "a plain function has no parameters(): nothing can be trained, moved to a "
                "device or saved"
            ),
        )
        part = {p.numel(): p for p in net.parameters()}
        sizes = sorted(p.numel() for p in net.parameters())
        t.true(
            "the parameters of two linear layers",
            sizes in ([3, 4, 12, 20], [3, 12, 20], [4, 12, 20], [12, 20]),
            sizes,
            "[3, 4, 12, 20]",
            given="Net(5, 4, 3)",
            because=(
                "layers that are local variables of forward, or sit in a plain list, are "
                "not registered"
            ),
        )
        x = t.randn(6, 5)
        out = t.call(net, x)
        t.shape("one row of outputs per row of x", out, (6, 3), given="x (6, 5)")
        t.equal(
            "two calls on one input agree",
            t.call(net, x),
            out.detach(),
            because="each call makes new layers with new random weights",
        )
        t.true(
            "the output has a graph",
            out.requires_grad,
            "requires_grad=False",
            "True",
            because="no_grad and requires_grad_(False) leave nothing to train",
        )
        out.square().sum().backward()
        t.true(
            "every parameter gets a gradient",
            all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters()),
            got=[
                name
                for name, p in net.named_parameters()
                if p.grad is None or not p.grad.abs().sum()
            ],
            expected="no name",
            because=(
                "the parameters that an optimizer would be given are not those that made the output"
            ),
        )

        def line(v, n, m):  # weights are (n, m), as nn.Linear has them; own ones may be (m, n)
            w = part[n * m].detach()
            rows = (w if w.shape == (n, m) else w.reshape(m, n).T).tolist()
            bias = part[n].flatten().tolist() if n in part else [0.0] * n
            return [math.fsum(a * c for a, c in zip(v, row)) + k for row, k in zip(rows, bias)]

        hidden = [[max(0.0, h) for h in line(v, 4, 5)] for v in x.tolist()]
        t.equal(
            "linear, ReLU, linear",
            out,
            torch.tensor([line(h, 3, 4) for h in hidden]),
            given="the weights of your layers",
            because="the ReLU stands between the layers, once, and not after the last",
        )
        t.equal(
            "the sizes are arguments",
            sorted(p.numel() for p in t.call(Net, 2, 3, 5).parameters())[-2:],
            [6, 15],
            given="Net(2, 3, 5), the weights",
        )

    @wrong("the parameters of two linear layers")
    class plain_list(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.layers = [nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)]

        def forward(self, x):
            return self.layers[1](self.layers[0](x).relu())

    @wrong("the parameters of two linear layers")
    class local_layers(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.sizes = n_in, n_hidden, n_out

        def forward(self, x):
            a, b, c = self.sizes
            return nn.Linear(b, c)(nn.Linear(a, b)(x).relu())

    @wrong("Net gives an nn.Module")
    def a_function(n_in, n_hidden, n_out):
        first, second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)
        return lambda x: second(first(x).relu())

    @wrong("two calls on one input agree")
    class registered_anew(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.sizes = n_in, n_hidden, n_out
            self.build()

        def build(self):
            a, b, c = self.sizes
            self.first, self.second = nn.Linear(a, b), nn.Linear(b, c)

        def forward(self, x):
            self.build()
            return self.second(self.first(x).relu())

    @wrong("every parameter gets a gradient")
    class a_copy_runs(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

        def forward(self, x):
            net = copy.deepcopy([self.first, self.second])
            return net[1](net[0](x).relu())

    @wrong("linear, ReLU, linear")
    class no_relu(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

        def forward(self, x):
            return self.second(self.first(x))

    @wrong("linear, ReLU, linear")
    class relu_last(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.first, self.second = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_out)

        def forward(self, x):
            return self.second(self.first(x).relu()).relu()

    @wrong("the output has a graph")
    class without_a_graph(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.net = nn.Sequential(
                nn.Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out)
            )

        @torch.no_grad()
        def forward(self, x):
            return self.net(x)

    @wrong("the parameters of two linear layers")
    class normalised(nn.Module):
        def __init__(self, n_in, n_hidden, n_out):
            super().__init__()
            self.net = nn.Sequential(
                nn.Linear(n_in, n_hidden),
                nn.BatchNorm1d(n_hidden),
                nn.ReLU(),
                nn.Linear(n_hidden, n_out),
            )

        def forward(self, x):
            return self.net(x)


class Loop(Exercise):
    "Four faults in one loop"

    id, kind = "training.loop", "bug"
    difficulty, importance, minutes = 3, 5, 10
    covers = ("S3-F18", "S3-B3.5", "S3-B3.9", "S1-B2.12", "S3-B4.5", "S4-B3.1")
    bug = "'loss' is not defined"
    task = (
        "`train(encoder, decoder, batches, lr)` shall take one step of plain SGD per batch on "
        "the mean squared error of "
        "`decoder(encoder(x))` against `x`, for both parts, and return the loss of each batch "
        "before its step, as a list of floats. "
        "One fault stops it, three are silent."
    )
    starter = """
def train(encoder, decoder, batches, lr):  # -> list of floats
    optimizer, losses = torch.optim.SGD(decoder.parameters(), lr), []

    def step(x):
        loss = F.mse_loss(decoder(encoder(x)), x)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()

    for x in batches:
        step(x)
        losses.append(loss)
    return losses
"""
    hints = (
        "`loss` lives and dies inside step. Let step return it.",
        "What does the optimizer hold, and what is left in .grad when its step comes?",
        "SGD([*encoder.parameters(), *decoder.parameters()], lr); zero_grad, backward, step; "
        "losses.append(loss.item())",
    )

    def reference(encoder, decoder, batches, lr):
        optimizer, losses = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr), []
        for x in batches:
            loss = F.mse_loss(decoder(encoder(x)), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def another(encoder, decoder, batches, lr):
        params = [*encoder.parameters(), *decoder.parameters()]

        def step(x):
            loss = (decoder(encoder(x)) - x).square().mean()
            with torch.no_grad():
                for p, g in zip(params, torch.autograd.grad(loss, params)):
                    p -= lr * g
            return float(loss.detach())

        return [step(x) for x in batches]

    def another2(encoder, decoder, batches, lr):
        parts = [torch.optim.SGD(part.parameters(), lr) for part in (encoder, decoder)]
        losses = []
        for x in batches:
            loss = F.mse_loss(decoder(encoder(x)), x)
            loss.backward()
            losses.append(loss.item())
            for optimizer in parts:
                optimizer.step()
                optimizer.zero_grad()
        return losses

    def check(t, train):
        W, V, xs = t.randn(2, 3), t.randn(3, 2), [t.randn(5, 3) + 0.5 for _ in range(3)]

        def trained(batches, lr=0.1):
            encoder, decoder = nn.Linear(3, 2, bias=False), nn.Linear(2, 3, bias=False)
            with torch.no_grad():
                encoder.weight.copy_(W)
                decoder.weight.copy_(V)
            return encoder.weight, decoder.weight, t.call(train, encoder, decoder, batches, lr)

        def by_hand(batches):  # gradients written out: d/dV and d/dW of mean (x W' V' - x)^2
            w, v, losses = W.double(), V.double(), []
            for x in (x.double() for x in batches):
                r = x @ w.T @ v.T - x
                losses.append(float((r * r).mean()))
                g = 2 * r / r.numel()
                w, v = w - 0.1 * (g @ v).T @ x, v - 0.1 * g.T @ (x @ w.T)
            return w.float(), v.float(), losses

        w, v, losses = trained(xs[:1])
        later = trained(xs[:2])
        for name, p, start, late in (("encoder", w, W, later[0]), ("decoder", v, V, later[1])):
            t.true(
                f"the {name} moves",
                not torch.equal(p.detach(), start),
                got="the same weights as before",
                expected="one step of SGD",
                given="one batch",
                because=(
                    "its gradient is gone when the step comes: zero_grad stands between "
                    "backward and step"
                )
                if p.grad is None
                else "with two batches it moves: the step comes before the gradient it should use"
                if not torch.equal(late, start)
                else (
                    "it has a gradient, but the optimizer holds other parameters than those "
                    "that ran"
                ),
            )
        t.equal(
            "one step against the gradient",
            [w, v],
            list(by_hand(xs[:1])[:2]),
            given="one batch, lr 0.1",
            because="both parts step from the same gradient, once",
        )
        w, v, losses = trained(xs)
        t.equal(
            "three steps, each from its own batch",
            [w, v],
            list(by_hand(xs)[:2]),
            given="three batches, lr 0.1",
            because=(
                "without zero_grad the gradients of earlier batches are still in .grad and add up"
            ),
        )
        t.true(
            "one loss per batch, in a list",
            isinstance(losses, list) and len(losses) == 3,
            got=losses,
            expected="3 floats",
        )
        t.true(
            "the losses are plain numbers",
            all(isinstance(value, float) for value in losses),
            got=str(type(losses[0])),
            expected="float",
            because="a loss tensor in a list keeps the whole graph of its step in memory; "
            ".item() keeps "
            "the number only",
        )
        t.equal(
            "each loss is that of its batch, before the step",
            losses,
            by_hand(xs)[2],
            given="three batches",
            because="the loss that made the gradient is the one to note",
        )
        near, far = (trained(xs[:1], lr)[0].detach() - W for lr in (0.1, 0.2))
        t.equal("twice the lr is twice the step", far, 2 * near, given="one batch, lr 0.1 and 0.2")

    @wrong("the optimizer holds other parameters")
    def decoder_only(encoder, decoder, batches, lr):
        opt, losses = torch.optim.SGD(decoder.parameters(), lr), []
        for x in batches:
            loss = F.mse_loss(decoder(encoder(x)), x)
            opt.zero_grad()
            loss.backward()
            opt.step()
            losses.append(loss.item())
        return losses

    @wrong("the optimizer holds other parameters")
    def over_a_copy(encoder, decoder, batches, lr):
        opt, losses = (
            torch.optim.SGD(copy.deepcopy(nn.Sequential(encoder, decoder)).parameters(), lr),
            [],
        )
        for x in batches:
            loss = F.mse_loss(decoder(encoder(x)), x)
            opt.zero_grad()
            loss.backward()
            opt.step()
            losses.append(loss.item())
        return losses

    @wrong("zero_grad stands between backward and step")
    def cleared_too_early(encoder, decoder, batches, lr):
        opt, losses = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr), []
        for x in batches:
            loss = F.mse_loss(decoder(encoder(x)), x)
            loss.backward()
            opt.zero_grad()
            opt.step()
            losses.append(loss.item())
        return losses

    @wrong("the step comes before the gradient")
    def update_first(encoder, decoder, batches, lr):
        opt, losses = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr), []
        for x in batches:
            opt.step()
            loss = F.mse_loss(decoder(encoder(x)), x)
            opt.zero_grad()
            loss.backward()
            losses.append(loss.item())
        return losses

    @wrong("three steps, each from its own batch")
    def never_cleared(encoder, decoder, batches, lr):
        opt, losses = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr), []
        for x in batches:
            loss = F.mse_loss(decoder(encoder(x)), x)
            loss.backward()
            opt.step()
            losses.append(loss.item())
        return losses

    @wrong("the losses are plain numbers")
    def graphs_kept(encoder, decoder, batches, lr):
        opt, losses = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr), []
        for x in batches:
            loss = F.mse_loss(decoder(encoder(x)), x)
            opt.zero_grad()
            loss.backward(retain_graph=True)
            opt.step()
            losses.append(loss)
        return losses

    @wrong("before the step")
    def measured_after(encoder, decoder, batches, lr):
        opt, losses = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr), []
        for x in batches:
            opt.zero_grad()
            F.mse_loss(decoder(encoder(x)), x).backward()
            opt.step()
            losses.append(F.mse_loss(decoder(encoder(x)), x).item())
        return losses

    @wrong("one loss per batch")
    def last_only(encoder, decoder, batches, lr):
        opt = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr)
        for x in batches:
            loss = F.mse_loss(decoder(encoder(x)), x)
            opt.zero_grad()
            loss.backward()
            opt.step()
        return loss.item()

    @wrong("twice the lr is twice the step")
    def a_tenth(encoder, decoder, batches, lr):
        optimizer, losses = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], 0.1), []
        for x in batches:
            loss = F.mse_loss(decoder(encoder(x)), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses


class TwoLosses(Exercise):
    "Two losses over one set of features"

    id, kind = "training.two_losses", "bug"
    difficulty, importance, minutes = 3, 4, 8
    covers = ("S1-B2.11",)
    bug = "backward through the graph a second time"
    task = (
        "One SGD step of size `lr`: `body` and `head` learn to predict `y` from `x`, and "
        "`probe` learns `u` from the features that "
        "`body` had before the step, without moving the body. Losses are mean squares; both "
        "are returned as floats. The second "
        "backward stops with an error, and retain_graph=True is no way out. Repair it."
    )
    starter = """
def train_both(body, head, probe, x, y, u, lr):  # -> (float, float)
    main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
    side = torch.optim.SGD(probe.parameters(), lr)
    h = body(x)
    loss = F.mse_loss(head(h), y)
    main.zero_grad()
    loss.backward()
    main.step()
    probe_loss = F.mse_loss(probe(h), u)
    side.zero_grad()
    probe_loss.backward()
    side.step()
    return loss.item(), probe_loss.item()
"""
    hints = (
        "Through which modules does each backward go? Through which should it?",
        "The probe needs the numbers in h and nothing of how they were made. What cuts a "
        "tensor off from its graph?",
        "probe_loss = F.mse_loss(probe(h.detach()), u)",
    )

    def reference(body, head, probe, x, y, u, lr):
        main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
        side = torch.optim.SGD(probe.parameters(), lr)
        h = body(x)
        loss = F.mse_loss(head(h), y)
        main.zero_grad()
        loss.backward()
        main.step()
        probe_loss = F.mse_loss(probe(h.detach()), u)
        side.zero_grad()
        probe_loss.backward()
        side.step()
        return loss.item(), probe_loss.item()

    def another(body, head, probe, x, y, u, lr):
        params = [p for m in (body, head, probe) for p in m.parameters()]
        h = body(x)
        losses = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
        grads = torch.autograd.grad(sum(losses), params)
        with torch.no_grad():
            for p, g in zip(params, grads):
                p -= lr * g
        return tuple(v.item() for v in losses)

    def another2(body, head, probe, x, y, u, lr):
        with torch.no_grad():
            features = body(x)
        found = []
        for modules, inputs, target in (([body, head], x, y), ([probe], features, u)):
            net = nn.Sequential(*modules)
            optimizer = torch.optim.SGD(net.parameters(), lr)
            loss = F.mse_loss(net(inputs), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return tuple(found)

    def check(t, train_both):
        torch.manual_seed(3)
        start = [
            nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)),
            nn.Linear(3, 2),
            nn.Linear(3, 1),
        ]
        body, head, probe = copy.deepcopy(start)
        for w in nn.ModuleList([body, head, probe]).parameters():
            w.grad = torch.full_like(w, 0.5)  # left by somebody earlier
        x, y, u, lr = t.randn(8, 4), t.randn(8, 2), t.randn(8, 1), 0.3
        got = t.call(train_both, body, head, probe, x, y, u, lr)
        b, h, p = copy.deepcopy(start)
        features = b(x).detach()
        alone = (h(b(x)) - y).square().mean()
        owners = [*b.parameters(), *h.parameters()]
        moved = [w.detach() - lr * g for w, g in zip(owners, torch.autograd.grad(alone, owners))]
        t.equal(
            "the body moves by the head's loss alone",
            list(body.parameters()),
            moved[:4],
            given="one step, lr 0.3",
            because="the probe's loss may not reach the body, and the head's must: look at "
            "what is detached, and "
            "which losses are added; the gradients left from earlier, 0.5 everywhere, are cleared",
        )
        t.equal(
            "the head moves by its own loss",
            list(head.parameters()),
            moved[4:],
            because="the head steps once, from the first loss",
        )
        r = (
            features @ p.weight.detach().T + p.bias.detach() - u
        )  # closed form: a linear layer under a mean square
        expected = [
            p.weight.detach() - lr * 2 / 8 * r.T @ features,
            p.bias.detach() - lr * 2 / 8 * r.sum(0),
        ]
        t.equal(
            "the probe steps from the features before the step",
            list(probe.parameters()),
            expected,
            given="one step, lr 0.3",
            because=(
                "features made again after the body moved are others; and the probe needs "
                "an optimizer of its own weights"
            ),
        )
        t.true(
            "two floats",
            isinstance(got, (tuple, list))
            and len(got) == 2
            and all(isinstance(v, float) for v in got),
            got=got,
            expected="(loss, probe_loss)",
            because="return .item() of both",
        )
        t.equal(
            "the losses are those before the step",
            list(got),
            [float(alone.detach()), float(r.square().mean())],
        )
        again = copy.deepcopy(start)
        t.call(train_both, *again, x, y, u, 2 * lr)
        pairs = [list(zip(m.parameters(), start[1].parameters())) for m in (again[1], head)]
        far, near = ([(a - b).detach() for a, b in pair] for pair in pairs)
        t.equal(
            "twice the lr is twice the step", far, [2 * v for v in near], given="lr 0.3 and 0.6"
        )

    @wrong("modified by an inplace operation")
    def graph_retained(body, head, probe, x, y, u, lr):
        main, side = (
            torch.optim.SGD([*body.parameters(), *head.parameters()], lr),
            torch.optim.SGD(probe.parameters(), lr),
        )
        h = body(x)
        loss = F.mse_loss(head(h), y)
        main.zero_grad()
        loss.backward(retain_graph=True)
        main.step()
        second = F.mse_loss(probe(h), u)
        side.zero_grad()
        second.backward()
        side.step()
        return loss.item(), second.item()

    @wrong("the body moves by the head's loss alone")
    def both_backwards_first(body, head, probe, x, y, u, lr):
        main, side = (
            torch.optim.SGD([*body.parameters(), *head.parameters()], lr),
            torch.optim.SGD(probe.parameters(), lr),
        )
        h = body(x)
        loss, second = F.mse_loss(head(h), y), F.mse_loss(probe(h), u)
        main.zero_grad()
        side.zero_grad()
        loss.backward(retain_graph=True)
        second.backward()
        main.step()
        side.step()
        return loss.item(), second.item()

    @wrong("the body moves by the head's loss alone")
    def losses_added(body, head, probe, x, y, u, lr):
        opt = torch.optim.SGD([*body.parameters(), *head.parameters(), *probe.parameters()], lr)
        h = body(x)
        loss, second = F.mse_loss(head(h), y), F.mse_loss(probe(h), u)
        opt.zero_grad()
        (loss + second).backward()
        opt.step()
        return loss.item(), second.item()

    @wrong("the body moves by the head's loss alone")
    def detached_for_both(body, head, probe, x, y, u, lr):
        opt = torch.optim.SGD([*body.parameters(), *head.parameters(), *probe.parameters()], lr)
        h = body(x).detach()
        loss, second = F.mse_loss(head(h), y), F.mse_loss(probe(h), u)
        opt.zero_grad()
        (loss + second).backward()
        opt.step()
        return loss.item(), second.item()

    @wrong("the probe steps from the features before the step")
    def features_made_again(body, head, probe, x, y, u, lr):
        main, side = (
            torch.optim.SGD([*body.parameters(), *head.parameters()], lr),
            torch.optim.SGD(probe.parameters(), lr),
        )
        loss = F.mse_loss(head(body(x)), y)
        main.zero_grad()
        loss.backward()
        main.step()
        second = F.mse_loss(probe(body(x).detach()), u)
        side.zero_grad()
        second.backward()
        side.step()
        return loss.item(), second.item()

    @wrong("the probe steps from the features before the step")
    def probe_forgotten(body, head, probe, x, y, u, lr):
        main = torch.optim.SGD([*body.parameters(), *head.parameters()], lr)
        h = body(x)
        loss = F.mse_loss(head(h), y)
        main.zero_grad()
        loss.backward()
        main.step()
        second = F.mse_loss(probe(h.detach()), u)
        second.backward()
        return loss.item(), second.item()

    @wrong("two floats")
    def tensors_returned(body, head, probe, x, y, u, lr):
        opt = torch.optim.SGD([*body.parameters(), *head.parameters(), *probe.parameters()], lr)
        h = body(x)
        loss, second = F.mse_loss(head(h), y), F.mse_loss(probe(h.detach()), u)
        opt.zero_grad()
        (loss + second).backward()
        opt.step()
        return loss, second


class Clip(Exercise):
    "One length for all gradients"

    id = "training.clip"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("S0-Q6", "S0-F14")
    task = (
        "Take all tensors of the list `grads` as one long vector. Return a list of new "
        "tensors, scaled by one factor so that its "
        "length is at most `limit`, and the length before as a float. Shorter vectors stay as "
        "they are. If any number is NaN or "
        "infinite, raise ValueError."
    )
    starter = """
def clip(grads, limit):  # list of tensors, float -> (list of tensors, float)
    ...
"""
    hints = (
        "The length of (3, 4) and (12) together is 13: squares add up over all tensors.",
        "The factor is limit / norm when norm > limit, else 1. What is the norm if one number "
        "is NaN?",
        "norm = math.sqrt(sum(float(g.square().sum()) for g in grads)); if not "
        "math.isfinite(norm): raise ValueError(..)",
    )

    def reference(grads, limit):
        norm = math.sqrt(sum(float(g.square().sum()) for g in grads))
        if not math.isfinite(norm):
            raise ValueError(f"gradient norm {norm}; expected a finite number")
        return [g * min(1.0, limit / norm) if norm else g.clone() for g in grads], norm

    def another(grads, limit):
        flat = torch.cat([g.flatten() for g in grads])
        if not flat.isfinite().all():
            raise ValueError("a gradient is not finite")
        norm = float(torch.linalg.vector_norm(flat))
        flat = flat if norm <= limit else flat * (limit / norm)
        return [
            part.view_as(g) for part, g in zip(flat.split([g.numel() for g in grads]), grads)
        ], norm

    def check(t, clip):
        def ask(grads, limit):
            before = [g.clone() for g in grads]
            got = t.call(clip, grads, limit)
            t.true(
                "a list and a number",
                isinstance(got, (tuple, list)) and len(got) == 2 and len(got[0]) == len(grads),
                got=type(got).__name__,
                expected="(list of tensors, norm)",
            )
            t.true(
                "the gradients given are left as they were",
                all(torch.equal(g, b) for g, b in zip(grads, before)),
                got="a changed tensor in grads",
                expected="the same values",
                because="return new tensors; mul_ writes into the caller's",
            )
            t.true(
                "the tensors are new",
                not {g.data_ptr() for g in grads} & {g.data_ptr() for g in got[0]},
                "one of the tensors given",
                "copies",
                because="who changes the clipped ones later must not change the caller's",
            )
            return list(got[0]), got[1]

        a, b = (
            torch.tensor([[3.0, 0.0], [0.0, -4.0]]),
            torch.tensor([12.0]),
        )  # squares 9 + 16 + 144 = 169
        new, norm = ask([a, b], 6.5)
        t.near(
            "the norm is the length of one long vector, before",
            norm,
            13.0,
            1e-4,
            given="3, 0, 0, -4 and 12, limit 6.5",
            because=(
                "sqrt(9 + 16 + 144); the sum of the tensors' norms is 17, the largest 12, "
                "and after clipping it is 6.5"
            ),
        )
        t.true(
            "the length is a float",
            isinstance(norm, float),
            type(norm).__name__,
            "float",
            because="a tensor needs .item()",
        )
        t.equal(
            "one factor for all tensors",
            new,
            [a / 2, b / 2],
            given="length 13, limit 6.5",
            because=(
                "clipping each tensor, or each number, by itself turns the direction of the step"
            ),
        )
        t.equal(
            "a short vector stays as it is",
            ask([a, b], 20.0)[0],
            [a, b],
            given="length 13, limit 20",
            because="the limit is an upper bound, not the length wanted",
        )
        t.equal(
            "zero gradients stay zero",
            ask([a * 0, b * 0], 1.0)[0],
            [a * 0, b * 0],
            given="only zeros",
            because="limit / 0",
        )

        def refused(bad):
            try:
                clip([a, torch.tensor([bad])], 1.0)
            except ValueError:
                return True
            except Exception:
                return False
            return False

        for bad in (math.nan, math.inf, -math.inf):
            t.true(
                "a number that is not finite is refused",
                refused(bad),
                got="no ValueError",
                expected="ValueError",
                given=f"one gradient {bad} among five",
                because=(
                    "NaN compares false with everything and spreads over all tensors by "
                    "the factor; an infinite norm makes it 0"
                ),
            )

    @wrong("one factor for all tensors")
    def each_tensor(grads, limit):
        norm = math.sqrt(sum(float(g.square().sum()) for g in grads))
        if not math.isfinite(norm):
            raise ValueError
        return [g * min(1.0, limit / max(float(g.norm()), 1e-12)) for g in grads], norm

    @wrong("one factor for all tensors")
    def each_number(grads, limit):
        norm = math.sqrt(sum(float(g.square().sum()) for g in grads))
        if not math.isfinite(norm):
            raise ValueError
        return [g.clamp(-limit, limit) for g in grads], norm

    @wrong("the norm is the length of one long vector")
    def norms_added(grads, limit):
        norm = sum(float(g.norm()) for g in grads)
        if not math.isfinite(norm):
            raise ValueError
        return [g * min(1.0, limit / max(norm, 1e-12)) for g in grads], norm

    @wrong("a short vector stays as it is")
    def always_scaled(grads, limit):
        norm = math.sqrt(sum(float(g.square().sum()) for g in grads))
        if not math.isfinite(norm):
            raise ValueError
        return [g * limit / max(norm, 1e-12) for g in grads], norm

    @wrong("a number that is not finite is refused")
    def no_guard(grads, limit):
        norm = math.sqrt(sum(float(g.square().sum()) for g in grads))
        return [g * limit / norm if norm > limit else g.clone() for g in grads], norm

    @wrong("a number that is not finite is refused")
    def only_nan(grads, limit):
        norm = math.sqrt(sum(float(g.square().sum()) for g in grads))
        if math.isnan(norm):
            raise ValueError
        return [g * limit / norm if norm > limit else g.clone() for g in grads], norm

    @wrong("division by zero")
    def divides_by_zero(grads, limit):
        norm = math.sqrt(sum(float(g.square().sum()) for g in grads))
        if not math.isfinite(norm):
            raise ValueError
        return [g * min(1.0, limit / norm) for g in grads], norm

    @wrong("the gradients given are left as they were")
    def in_place(grads, limit):
        norm = nn.utils.get_total_norm(grads, error_if_nonfinite=True).item()
        for g in grads:
            g.mul_(min(1.0, limit / max(norm, 1e-12)))
        return grads, norm

    @wrong("the length is a float")
    def length_as_a_tensor(grads, limit):
        length = torch.cat([g.flatten() for g in grads]).norm()
        if not length.isfinite():
            raise ValueError
        return [g / max(1.0, length.item() / limit) for g in grads], length


class EmaUpdate(Exercise):
    "A running average that forgets its start"

    id = "training.ema_update"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S0-F14", "S2-X3")
    task = (
        "`average` and `weights` are lists of tensors. After `s` = 0, 1, .. earlier updates, "
        "return the new average as a list: the "
        "share d = min(decay, (1 + s) / (10 + s)) of the old average and the rest of the "
        "weights. New tensors, without a graph."
    )
    starter = """
def ema_update(average, weights, decay, s):  # lists of tensors -> list of tensors
    ...
"""
    hints = (
        "Compute d first. At s = 0 it is 1/10 for every usual decay: the random start is "
        "nearly forgotten.",
        "d belongs to the old average, 1 - d to the new weights; and neither brings its "
        "graph along.",
        "[d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]",
    )

    def reference(average, weights, decay, s):
        d = min(decay, (1 + s) / (10 + s))
        return [d * a.detach() + (1 - d) * w.detach() for a, w in zip(average, weights)]

    @torch.no_grad()
    def another(average, weights, decay, s):
        return [w.lerp(a, min(decay, (1 + s) / (10 + s))) for a, w in zip(average, weights)]

    def check(t, ema_update):
        def ask(average, weights, decay, s):
            before = [v.detach().clone() for v in (*average, *weights)]
            got = t.call(ema_update, average, weights, decay, s)
            t.true(
                "a list of as many tensors",
                isinstance(got, (list, tuple)) and len(got) == len(average),
                got=type(got).__name__,
                expected=f"a list of {len(average)} tensors",
            )
            t.true(
                "average and weights are left as they were",
                all(torch.equal(v, b) for v, b in zip((*average, *weights), before)),
                got="a tensor was changed in place",
                expected="new tensors",
                because="lerp_ and mul_ write into the model that trains",
            )
            return got

        a, w = (
            [torch.zeros(2, 3), torch.full((3,), 10.0)],
            [nn.Parameter(torch.full((2, 3), 10.0)), nn.Parameter(torch.zeros(3))],
        )
        got = ask(a, w, 0.75, 1000)
        t.equal(
            "the old average keeps the share decay",
            got,
            [torch.full((2, 3), 2.5), torch.full((3,), 7.5)],
            given="average 0 and 10, weights 10 and 0, decay 0.75, s = 1000",
            because="d goes to the average, 1 - d to the weights",
        )
        t.true(
            "no graph hangs on the average",
            not any(v.requires_grad for v in got),
            got="requires_grad=True",
            expected="False",
            because="weights are parameters: detach them, or the graph grows by one piece per step",
        )
        for s, share in ((0, 1 / 10), (2, 3 / 12), (8, 9 / 18), (80, 81 / 90)):
            t.equal(
                "early averages forget faster",
                ask(a, w, 0.99, s),
                [torch.full((2, 3), 10 - 10 * share), torch.full((3,), 10 * share)],
                given=f"decay 0.99, s = {s}: d = {share:.3g}",
                because="d is the smaller of decay and (1 + s) / (10 + s), s from 0",
            )
        t.equal(
            "a small decay stays small",
            ask(a, w, 0.05, 0),
            [torch.full((2, 3), 9.5), torch.full((3,), 0.5)],
            given="decay 0.05, s = 0",
            because="d never exceeds decay",
        )
        t.true(
            "no graph hangs on the average",
            not any(v.requires_grad for v in ask([v.requires_grad_() for v in a], w, 0.75, 9)),
            got="requires_grad=True",
            expected="False",
            given="an average that requires a gradient",
            because="detach the average too",
        )
        average, steps = [torch.zeros(1)], 300
        for s in range(steps):
            average = ask(average, [torch.tensor([s + 1.0])], 0.9, s)
        t.near(
            "a weight that moves by 1 a step is d / (1 - d) ahead",
            steps - float(average[0]),
            9.0,
            1e-2,
            given="decay 0.9, 300 steps",
            because="the geometric sum of what is left of each step",
        )

    @wrong("the old average keeps the share decay")
    def shares_exchanged(average, weights, decay, s):
        d = min(decay, (1 + s) / (10 + s))
        return [(1 - d) * a + d * w.detach() for a, w in zip(average, weights)]

    @wrong("early averages forget faster")
    def constant_decay(average, weights, decay, s):
        return [decay * a + (1 - decay) * w.detach() for a, w in zip(average, weights)]

    @wrong("early averages forget faster")
    def counted_from_one(average, weights, decay, s):
        d = min(decay, (2 + s) / (11 + s))
        return [d * a + (1 - d) * w.detach() for a, w in zip(average, weights)]

    @wrong("the old average keeps the share decay")
    def the_larger(average, weights, decay, s):
        d = max(decay, (1 + s) / (10 + s))
        return [d * a + (1 - d) * w.detach() for a, w in zip(average, weights)]

    @wrong("a small decay stays small")
    def at_least_a_tenth(average, weights, decay, s):
        d = max(0.1, min(decay, (1 + s) / (10 + s)))
        return [d * a + (1 - d) * w.detach() for a, w in zip(average, weights)]

    @wrong("no graph hangs on the average")
    def graph_kept(average, weights, decay, s):
        d = min(decay, (1 + s) / (10 + s))
        return [d * a + (1 - d) * w for a, w in zip(average, weights)]

    @wrong("average and weights are left as they were")
    def in_place(average, weights, decay, s):
        d = min(decay, (1 + s) / (10 + s))
        return [a.lerp_(w.detach(), 1 - d) for a, w in zip(average, weights)]

    @wrong("average and weights are left as they were")
    def into_the_model(average, weights, decay, s):
        d = min(decay, (1 + s) / (10 + s))
        return [w.data.lerp_(a, d) for a, w in zip(average, weights)]

    @wrong("no graph hangs on the average")
    def graph_of_the_average(average, weights, decay, s):
        d = min(decay, (1 + s) / (10 + s))
        return [d * a + (1 - d) * w.detach() for a, w in zip(average, weights)]


class EarlyStop(Exercise):
    "When to stop, and which weights to keep"

    id = "training.early_stop"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S2-Q5", "S0-F15")
    task = (
        "`losses` are validation losses, one per epoch. Training stops at the first epoch at "
        "which `patience` epochs in a row have "
        "not fallen below the best before them, else at the last one. Return (index of the "
        "best epoch so far, index of the epoch at "
        "which it stops). An equal loss or NaN is no improvement; of equal ones the first is "
        "best. The first loss is finite."
    )
    starter = """
def early_stop(losses, patience):  # list of floats, int >= 1 -> (int, int)
    ...
"""
    hints = (
        "Walk through the list as training would: you may not look at losses after the stop.",
        "Remember the index of the best. How many epochs ago was it?",
        "for i, loss in enumerate(losses): if loss < losses[best]: best = i; elif i - best >= "
        "patience: return best, i",
    )

    def reference(losses, patience):
        best = 0
        for i, loss in enumerate(losses):
            if loss < losses[best]:
                best = i
            elif i - best >= patience:
                return best, i
        return best, len(losses) - 1

    def another(losses, patience):
        seen = [math.inf if math.isnan(v) else v for v in losses]
        ends = (
            i
            for i in range(patience, len(seen))
            if min(seen[: i - patience + 1]) <= min(seen[i - patience + 1 : i + 1])
        )
        stop = next(ends, len(seen) - 1)
        return seen.index(min(seen[: stop + 1])), stop

    def check(t, early_stop):
        nan = math.nan
        for property, losses, patience, expected, because in (
            (
                "it stops when the best is `patience` epochs old",
                [5.0, 4.0, 3.0, 4.0, 5.0, 6.0, 7.0],
                2,
                (2, 4),
                "3 and 4 are two in a row",
            ),
            (
                "the best before the stop, not of the whole list",
                [5.0, 4.0, 6.0, 6.0, 1.0],
                2,
                (1, 3),
                "epoch 4 is never trained",
            ),
            (
                "patience 1 stops at the first rise",
                [3.0, 2.0, 2.5, 1.0],
                1,
                (1, 2),
                "one epoch without improvement is enough",
            ),
            (
                "an improvement starts the count again",
                [5.0, 6.0, 4.0, 6.0, 3.0, 6.0, 6.0, 1.0],
                2,
                (4, 6),
                "no two in a row before epoch 6",
            ),
            (
                "compared with the best, not with the epoch before",
                [3.0, 5.0, 4.0, 3.5, 3.2, 3.1],
                3,
                (0, 3),
                "falling is not yet better",
            ),
            (
                "an equal loss is no improvement",
                [2.0, 2.0, 2.0, 2.0],
                2,
                (0, 2),
                "only a smaller loss counts; the first of equals is best",
            ),
            (
                "NaN is no improvement",
                [3.0, 2.0, nan, nan, 1.0],
                2,
                (1, 3),
                "every comparison with NaN is false; ask for loss < best",
            ),
            (
                "without a stop it ends at the last epoch",
                [4.0, 3.0, 2.0, 3.0],
                2,
                (2, 3),
                "the index of the last, not the number of them",
            ),
            (
                "the last epoch may be the best",
                [3.0, 2.0, 1.0],
                2,
                (2, 2),
                "it counts as any other",
            ),
            (
                "a fall after NaN is one",
                [3.0, nan, 2.0, 1.0],
                2,
                (3, 3),
                "min of a list with NaN depends on where the NaN stands",
            ),
            (
                "a small fall is a fall",
                [1.0, 1.0 - 1e-6, 1.0 - 2e-6, 1.0 - 3e-6],
                1,
                (3, 3),
                "the text asks for no least amount",
            ),
        ):
            t.equal(
                property,
                tuple(t.call(early_stop, list(losses), patience)),
                expected,
                given=f"{losses}, patience {patience}",
                because=because,
            )
        for _ in range(20):  # against the definition, on random lists
            losses = t.randint(0, 9, (12,)).tolist()
            for p in (1, 2, 4):
                stop = next(
                    (
                        i
                        for i in range(p, 12)
                        if min(losses[i - p + 1 : i + 1]) >= min(losses[: i - p + 1])
                    ),
                    11,
                )
                t.equal(
                    "stop and best as defined",
                    tuple(t.call(early_stop, list(losses), p)),
                    (losses.index(min(losses[: stop + 1])), stop),
                    given=f"{losses}, patience {p}",
                )

    @wrong("it stops when the best is `patience` epochs old")
    def one_too_late(losses, patience):
        best = 0
        for i, loss in enumerate(losses):
            if loss < losses[best]:
                best = i
            elif i - best > patience:
                return best, i
        return best, len(losses) - 1

    @wrong("compared with the best")
    def against_the_one_before(losses, patience):
        waited = 0
        for i in range(1, len(losses)):
            waited = 0 if losses[i] < losses[i - 1] else waited + 1
            if waited >= patience:
                return losses.index(min(losses[: i + 1])), i
        return losses.index(min(losses)), len(losses) - 1

    @wrong("the best before the stop")
    def looks_ahead(losses, patience):
        best = 0
        for i, loss in enumerate(losses):
            if loss < losses[best]:
                best = i
            elif i - best >= patience:
                return losses.index(min(losses)), i
        return best, len(losses) - 1

    @wrong("an improvement starts the count again")
    def never_reset(losses, patience):
        best, waited = 0, 0
        for i, loss in enumerate(losses[1:], 1):
            if loss < losses[best]:
                best = i
            else:
                waited += 1
            if waited >= patience:
                return best, i
        return best, len(losses) - 1

    @wrong("an equal loss is no improvement")
    def equal_counts(losses, patience):
        best = 0
        for i, loss in enumerate(losses):
            if loss <= losses[best]:
                best = i
            elif i - best >= patience:
                return best, i
        return best, len(losses) - 1

    @wrong("NaN is no improvement")
    def nan_is_best(losses, patience):
        best, waited = 0, 0
        for i, loss in enumerate(losses[1:], 1):
            if loss >= losses[best]:
                waited += 1
            else:
                best, waited = i, 0
            if waited >= patience:
                return best, i
        return best, len(losses) - 1

    @wrong("without a stop it ends at the last epoch")
    def one_past_the_end(losses, patience):
        best = 0
        for i, loss in enumerate(losses):
            if loss < losses[best]:
                best = i
            elif i - best >= patience:
                return best, i
        return best, len(losses)

    @wrong("the best before the stop")
    def stops_at_the_minimum(losses, patience):
        best = losses.index(min(losses))
        return best, min(best + patience, len(losses) - 1)

    @wrong("a fall after NaN is one")
    def smallest_of_a_window(losses, patience):
        for i in range(patience, len(losses)):
            if not min(losses[i - patience + 1 : i + 1]) < min(losses[: i - patience + 1]):
                return losses.index(min(losses[: i + 1])), i
        return losses.index(min(losses)), len(losses) - 1

    @wrong("a small fall is a fall")
    def least_amount(losses, patience):
        best = 0
        for i, loss in enumerate(losses):
            if loss < losses[best] - 1e-4:
                best = i
            elif i - best >= patience:
                return best, i
        return best, len(losses) - 1
