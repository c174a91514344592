"Exercises of the notebook on latent diffusion."

import math

import torch
from torch import nn

from .engine import Exercise, plain, wrong


class Units(Exercise):
    "One number for eight channels"

    id = "latent.units"
    kind = "bug"
    difficulty, importance, minutes = 2, 5, 8
    covers = ("S0-F8",)
    task = (
        "`units(train)` gets latents of the training images, `(n, c, h, w)`, and should return "
        "two functions: `there(z)` gives "
        "the latents that the denoiser works on, `back(z)` undoes it. On `train` every channel "
        "must come out with mean 0 and "
        "standard deviation 1; other latents are treated with the numbers of `train`. As "
        "written there is one factor for all "
        "channels, and the mean stays. Repair it."
    )
    starter = """
def units(train):
    factor = 1 / train.std()

    def there(z):
        return z * factor

    def back(z):
        return z / factor

    return there, back
"""
    bug = "every channel has mean 0"
    hints = (
        "The noise has mean 0 and variance 1 in every channel. What must the latents have, so "
        "that t means the same in all of them?",
        "Two numbers for each channel: over which axes of (n, c, h, w) do they run?",
        "mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)",
    )

    def reference(train):
        mean, std = (
            train.mean((0, 2, 3), keepdim=True),
            train.std((0, 2, 3), keepdim=True),
        )  # (1, c, 1, 1)
        return (lambda z: (z - mean) / std), (lambda z: z * std + mean)

    def another(train):
        flat = train.movedim(1, 0).flatten(1).double()  # (c, n h w)
        mean = flat.sum(1) / flat.shape[1]
        std = ((flat - mean[:, None]) ** 2).mean(1).sqrt()

        def there(z):
            return torch.stack(
                [(z[:, i] - mean[i].item()) / std[i].item() for i in range(z.shape[1])], 1
            )

        def back(z):
            return torch.stack(
                [z[:, i] * std[i].item() + mean[i].item() for i in range(z.shape[1])], 1
            )

        return there, back

    def check(t, units):
        scale, shift = (
            torch.tensor([0.2, 1.0, 5.0]).view(1, 3, 1, 1),
            torch.tensor([4.0, 0.0, -7.0]).view(1, 3, 1, 1),
        )
        train = scale * (t.randn(40, 3, 4, 4) + 2 * t.randn(40, 1, 1, 1)) + shift
        pair = t.call(units, train)
        t.true(
            "two functions",
            isinstance(pair, (tuple, list)) and len(pair) == 2 and all(map(callable, pair)),
            pair,
            "(there, back)",
        )
        there, back = pair
        z = t.call(there, train)
        t.shape("the shape stays", z, (40, 3, 4, 4))
        each = [[float(v) for v in z[:, i].flatten().double()] for i in range(3)]
        mean = [sum(v) / len(v) for v in each]
        t.near(
            "every channel has mean 0",
            torch.tensor(mean),
            torch.zeros(3),
            1e-3,
            given="channels with mean 4, 0 and -7",
            because=(
                "a mean that stays is a part of the picture that no noise of mean 0 "
                "covers; subtract it, channel by channel"
            ),
        )
        spread = z.mean((1, 2, 3)).std().item()
        t.true(
            "images stay different from each other",
            spread > 0.5,
            spread,
            "means of images that differ, as they did before",
            because=(
                "statistics of each image by itself wipe out what tells bright from dark, "
                "and cannot be undone for a sample"
            ),
        )
        std = [math.sqrt(sum((x - m) ** 2 for x in v) / len(v)) for v, m in zip(each, mean)]
        t.near(
            "every channel has standard deviation 1",
            torch.tensor(std),
            torch.ones(3),
            5e-3,
            given="channels with scales .2, 1 and 5",
            because=(
                "with one factor for all, the loud channel decides and the quiet one "
                "drowns in noise at once"
            ),
        )
        one = scale * (t.randn(5, 3, 4, 4) + 3) + shift
        want = torch.stack(
            [
                (one[:, i] - train[:, i].double().mean()) / train[:, i].double().std()
                for i in range(3)
            ],
            1,
        ).float()
        t.equal(
            "new latents are treated with the numbers of train",
            t.call(there, one),
            want,
            atol=2e-2,
            rtol=1e-2,
            given="5 latents brighter than all of train",
            because="mean and std are taken once, from `train`, not from each batch",
        )
        t.equal(
            "back undoes there",
            t.call(back, t.call(there, 4 * one)),
            4 * one,
            atol=1e-4,
            rtol=1e-4,
            given="latents far from all of train",
            because="times std, then plus mean: the reverse order of minus mean, divided by std",
        )

    @wrong("standard deviation 1")
    def one_factor(train):
        mean, std = train.mean((0, 2, 3), keepdim=True), train.std()
        return (lambda z: (z - mean) / std), (lambda z: z * std + mean)

    @wrong("every channel has mean 0")
    def no_mean(train):
        std = train.std((0, 2, 3), keepdim=True)
        return (lambda z: z / std), (lambda z: z * std)

    @wrong("images stay different")
    def each_image(train):
        mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
        return (lambda z: (z - z.mean((2, 3), keepdim=True)) / z.std((2, 3), keepdim=True)), (
            lambda z: z * std + mean
        )

    @wrong("with the numbers of train")
    def each_batch(train):
        mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
        return (lambda z: (z - z.mean((0, 2, 3), keepdim=True)) / z.std((0, 2, 3), keepdim=True)), (
            lambda z: z * std + mean
        )

    @wrong("back undoes there")
    def wrong_order_back(train):
        mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True)
        return (lambda z: (z - mean) / std), (lambda z: (z + mean) * std)

    @wrong("back undoes there")
    def outliers_are_cut(train):
        there, back = Units.reference(train)
        return (lambda z: there(z).clamp(-3, 3)), back

    @wrong("standard deviation 1")
    def variance(train):
        mean, std = train.mean((0, 2, 3), keepdim=True), train.var((0, 2, 3), keepdim=True)
        return (lambda z: (z - mean) / std), (lambda z: z * std + mean)


class ToImages(Exercise):
    "The right code of the wrong space"

    id = "latent.to_images"
    kind = "bug"
    difficulty, importance, minutes = 3, 4, 9
    covers = ("S0-F7", "S0-F9")
    task = (
        "A sample `z` `(b, c, h, w)` has been drawn in the units of the denoiser, `(raw - "
        "mean) / std` with `mean` and `std` of "
        "shape `(c,)`. Return `decoder(codes)`, where `codes` `(b, c, h, w)` holds at every "
        "place the row of `codebook` `(k, "
        "c)` nearest to the **raw** vector. As written the nearest code is looked up before "
        "the units are undone. Repair it."
    )
    starter = """
def to_images(z, mean, std, codebook, decoder):
    b, c, h, w = z.shape
    flat = z.movedim(1, -1).reshape(-1, c)  # (b h w, c)
    codes = codebook[torch.cdist(flat, codebook).argmin(1)]
    codes = codes * std + mean
    return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))
"""
    bug = "the decoder is given rows of the codebook"
    hints = (
        "In which units is the codebook?",
        "Three steps: undo the units, look up, decode.",
        "Begin with raw = z * std[:, None, None] + mean[:, None, None], and drop the line "
        "after the look-up.",
    )

    def reference(z, mean, std, codebook, decoder):
        b, c, h, w = z.shape
        raw = (
            (z * std[:, None, None] + mean[:, None, None]).movedim(1, -1).reshape(-1, c)
        )  # (b h w, c)
        codes = codebook[torch.cdist(raw, codebook).argmin(1)]
        return decoder(codes.reshape(b, h, w, c).movedim(-1, 1))

    def another(z, mean, std, codebook, decoder):
        raw = torch.einsum("bchw,c->bchw", z, std) + mean.view(1, -1, 1, 1)
        score = (codebook**2).sum(1).view(1, -1, 1, 1) - 2 * torch.einsum(
            "bchw,kc->bkhw", raw, codebook
        )
        pick = nn.functional.one_hot(score.argmin(1), len(codebook)).to(
            codebook.dtype
        )  # (b, h, w, k)
        return decoder(torch.einsum("bhwk,kc->bchw", pick, codebook))

    def check(t, to_images):
        mean, std = torch.tensor([3.0, -2.0, 0.0]), torch.tensor([4.0, 0.3, 1.0])
        codebook = t.randn(11, 3) * std + mean
        z, seen = t.randn(2, 3, 4, 5), []

        def decoder(x):
            seen.append(x.detach().clone())
            return 10 + x.sum(1, keepdim=True)

        got = t.call(to_images, z, mean, std, codebook, decoder)
        t.true("the decoder runs once", len(seen) == 1, f"{len(seen)} calls", "1 call")
        t.shape("the decoder is given (b, c, h, w)", seen[0], (2, 3, 4, 5))
        vectors = seen[0].movedim(1, -1).reshape(-1, 3)
        off = max(min(float(((v - e) ** 2).sum()) for e in codebook) for v in vectors)
        t.true(
            "the decoder is given rows of the codebook",
            off < 1e-8,
            f"squared distance to the nearest row up to {off:.3g}",
            "0 everywhere",
            because=(
                "the codebook is in raw units already: look up last, and change nothing afterwards"
            ),
        )
        want = torch.zeros(2, 3, 4, 5)
        for b, i, j in ((b, i, j) for b in range(2) for i in range(4) for j in range(5)):
            raw = [float(z[b, c, i, j]) * float(std[c]) + float(mean[c]) for c in range(3)]
            want[b, :, i, j] = min(
                codebook, key=lambda e: sum((r - float(v)) ** 2 for r, v in zip(raw, e))
            )
        t.equal(
            "each place has the row nearest to its raw vector",
            seen[0],
            want,
            given="stds 4, .3 and 1",
            because=(
                "undo the units first: what is nearest in scaled units, or without the "
                "mean, is another row"
            ),
        )
        t.equal("the result is what the decoder says", got, 10 + want.sum(1, keepdim=True))

    @wrong("the row nearest to its raw vector")
    def looked_up_first(z, mean, std, codebook, decoder):
        flat = z.movedim(1, -1)
        return decoder(
            codebook[torch.cdist(flat.reshape(-1, z.shape[1]), codebook).argmin(1)]
            .reshape(flat.shape)
            .movedim(-1, 1)
        )

    @wrong("the row nearest to its raw vector")
    def codebook_in_units(z, mean, std, codebook, decoder):
        flat = z.movedim(1, -1)
        scaled = (codebook - mean) / std
        return decoder(
            codebook[torch.cdist(flat.reshape(-1, z.shape[1]), scaled).argmin(1)]
            .reshape(flat.shape)
            .movedim(-1, 1)
        )

    @wrong("rows of the codebook")
    def not_looked_up(z, mean, std, codebook, decoder):
        return decoder(z * std[:, None, None] + mean[:, None, None])

    @wrong("the row nearest to its raw vector")
    def axes_mixed(z, mean, std, codebook, decoder):
        raw = z * std[:, None, None] + mean[:, None, None]
        codes = codebook[torch.cdist(raw.reshape(-1, z.shape[1]), codebook).argmin(1)]
        return decoder(codes.reshape(z.shape[0], *z.shape[2:], z.shape[1]).movedim(-1, 1))

    @wrong("the row nearest to its raw vector")
    def mean_forgotten(z, mean, std, codebook, decoder):
        raw = (z * std[:, None, None]).movedim(1, -1)
        return decoder(
            codebook[torch.cdist(raw.reshape(-1, z.shape[1]), codebook).argmin(1)]
            .reshape(raw.shape)
            .movedim(-1, 1)
        )

    @wrong("the decoder is given (b, c, h, w)")
    def channels_last(z, mean, std, codebook, decoder):
        raw = (z * std[:, None, None] + mean[:, None, None]).movedim(1, -1)
        return decoder(
            codebook[torch.cdist(raw.reshape(-1, z.shape[1]), codebook).argmin(1)].reshape(
                raw.shape
            )
        )


class Estimates(Exercise):
    "Two guesses that must agree"

    id = "latent.estimates"
    difficulty, importance, minutes = 3, 5, 9
    covers = ("S2-F24",)
    task = (
        "On the flow path `x_t = (1 - t) x_0 + t eps`, and the network predicts `u = eps - "
        "x_0`. Return `(x_0, eps)`, both in "
        "the shape of `x_t` `(b, c, h, w)`; `t` is `(b,)`, each above 0. With a `limit`, `x_0` "
        "is cut to [-limit, limit] "
        "(pixels); with `None` it is left alone (latents). Either way the two must give back "
        "`x_t` when they are mixed again."
    )
    starter = """
def estimates(x_t, u, t, limit=None): ...
"""
    hints = (
        "Insert eps = x_0 + u into the path and solve for x_0.",
        "x_0 = x_t - t u. If x_0 is cut, which eps still mixes to x_t?",
        "t = t[:, None, None, None]; x_0 = (x_t - t * u).clamp(..); eps = (x_t - (1 - t) * "
        "x_0) / t",
    )

    def reference(x_t, u, t, limit=None):
        t = t[:, None, None, None]
        x_0 = x_t - t * u
        if limit is not None:
            x_0 = x_0.clamp(-limit, limit)
        return x_0, (x_t - (1 - t) * x_0) / t

    def another(x_t, u, t, limit=None):
        t = t.view(-1, *[1] * (x_t.ndim - 1))
        x_0, eps = x_t - t * u, x_t + (1 - t) * u
        if limit is None:
            return x_0, eps
        cut = x_0.clamp(max=limit).clamp(min=-limit)
        return cut, eps + (1 - t) / t * (x_0 - cut)

    def check(t, estimates):
        x_0, eps, time = (
            2 * t.randn(3, 2, 3, 3),
            t.randn(3, 2, 3, 3),
            torch.tensor([0.1, 0.5, 1.0]),
        )  # 3 images of width 3
        x_t = torch.stack([(1 - s) * a + s * e for s, a, e in zip(time.tolist(), x_0, eps)])
        got = t.call(estimates, x_t, eps - x_0, time)
        t.true("two tensors", isinstance(got, (tuple, list)) and len(got) == 2, got, "(x_0, eps)")
        t.equal(
            "a perfect prediction gives x_0 back",
            got[0],
            x_0,
            atol=1e-4,
            given="3 images with t = .1, .5 and 1; limit None",
            because=(
                "x_0 = x_t - t u, with t along the batch axis (here the batch is as long "
                "as a row: a wrong axis raises no error)"
            ),
        )
        t.equal(
            "a perfect prediction gives eps back",
            got[1],
            eps,
            atol=1e-4,
            because="eps = x_t + (1 - t) u",
        )
        a, e = t.call(estimates, x_t, eps - x_0, time, 1.0)
        want = torch.tensor([max(-1.0, min(1.0, v)) for v in x_0.flatten().tolist()]).view(
            x_0.shape
        )
        t.equal(
            "x_0 is cut to the limit",
            a,
            want,
            atol=1e-4,
            given="limit 1.",
            because="cut the estimate, not x_t or the prediction",
        )
        narrow = t.call(estimates, x_t, eps - x_0, time, 0.5)[0]
        t.equal("the limit is an argument", narrow, x_0.clamp(-0.5, 0.5), 1e-4, given="limit .5")
        s = time.view(3, 1, 1, 1)
        t.equal(
            "the two mix to x_t after the cut",
            (1 - s) * a + s * e,
            x_t,
            atol=1e-4,
            given="limit 1.",
            because=(
                "once x_0 is cut, the eps of the network no longer fits: take what is "
                "left, (x_t - (1 - t) x_0) / t"
            ),
        )

    @wrong("gives x_0 back")
    def sign(x_t, u, t, limit=None):
        return Estimates.reference(x_t, -u, t, limit)

    @wrong("gives x_0 back")
    def the_other_share(x_t, u, t, limit=None):
        s = t[:, None, None, None]
        return x_t - (1 - s) * u, x_t + s * u

    @wrong("gives x_0 back")
    def along_the_width(x_t, u, t, limit=None):
        x_0 = x_t - t * u
        if limit is not None:
            x_0 = x_0.clamp(-limit, limit)
        return x_0, (x_t - (1 - t) * x_0) / t

    @wrong("the two mix to x_t")
    def eps_not_renewed(x_t, u, t, limit=None):
        s = t[:, None, None, None]
        x_0 = x_t - s * u
        return x_0 if limit is None else x_0.clamp(-limit, limit), x_t + (1 - s) * u

    @wrong("gives x_0 back")
    def always_cut(x_t, u, t, limit=None):
        return Estimates.reference(x_t, u, t, limit or 1.0)

    @wrong("the limit is an argument")
    def cut_to_1(x_t, u, t, limit=None):
        return Estimates.reference(x_t, u, t, None if limit is None else 1.0)

    @wrong("x_0 is cut to the limit")
    def never_cut(x_t, u, t, limit=None):
        return Estimates.reference(x_t, u, t)

    @wrong("x_0 is cut to the limit")
    def cuts_the_input(x_t, u, t, limit=None):
        return Estimates.reference(x_t if limit is None else x_t.clamp(-limit, limit), u, t)


class OneBatch(Exercise):
    "Guidance that pulls away from the label"

    id = "latent.one_batch"
    kind = "bug"
    difficulty, importance, minutes = 3, 5, 8
    covers = ("M26",)
    task = (
        "Return the guided estimate `none + s (with - none)`, in **one** call of `model(x_t, "
        "t, labels)`, with a batch of twice "
        "the size; for `s = 1` one call of the plain size. The label that means none is "
        "`n_classes`. As written three things "
        "are wrong. Repair them."
    )
    starter = """
def guided(model, x_t, t, labels, s, n_classes):
    none = torch.zeros_like(labels)
    both = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none]))
    without, with_label = both.chunk(2)
    return without + s * (with_label - without)
"""
    bug = "s = 0 forgets the label"
    hints = (
        "What does label 0 mean on MNIST?",
        "The halves come out in the order in which they went in.",
        "none = torch.full_like(labels, n_classes); with_label, without = both.chunk(2); if s "
        "== 1: one call will do",
    )

    def reference(model, x_t, t, labels, s, n_classes):
        if s == 1:
            return model(x_t, t, labels)
        none = torch.full_like(labels, n_classes)
        with_label, without = model(
            torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, none])
        ).chunk(2)
        return without + s * (with_label - without)

    def another(model, x_t, t, labels, s, n_classes):
        if s == 1:
            return model(x_t, t, labels)
        pairs = torch.stack([labels, labels * 0 + n_classes], 1).flatten()  # a, none, b, none, ..
        out = model(x_t.repeat_interleave(2, 0), t.repeat_interleave(2), pairs).unflatten(
            0, (-1, 2)
        )
        return s * out[:, 0] + (1 - s) * out[:, 1]

    def check(t, guided):
        table, sizes = 3 * t.randn(5), []  # labels 0 to 3, and 4 for none

        def model(x, time, labels):
            sizes.append(len(x))
            return x * table[labels].view(-1, 1, 1, 1) + time.view(-1, 1, 1, 1) ** 2

        x, time, labels = t.randn(3, 1, 2, 2), t.rand(3), torch.tensor([2, 0, 3])

        def want(s):
            rows = []
            for a, u, y in zip(x.double(), time.double(), labels.tolist()):
                with_label, none = a * float(table[y]) + u**2, a * float(table[4]) + u**2
                rows.append((s * with_label + (1 - s) * none).float())
            return torch.stack(rows)

        got = t.call(guided, model, x, time, labels, 0.0, 4)
        t.shape("one estimate for each image", got, (3, 1, 2, 2))
        t.equal(
            "s = 0 forgets the label",
            got,
            want(0.0),
            given="labels 2, 0, 3 of 4 classes",
            because=(
                "none is n_classes, not 0, which is a class; and the halves come out as "
                "they went in"
            ),
        )
        sizes.clear()
        t.equal(
            "the value at s = 3",
            t.call(guided, model, x, time, labels, 3.0, 4),
            want(3.0),
            because="none + s (with - none)",
        )
        t.equal("both halves go in one call", sizes, [6], given="s = 3 and 3 images")
        sizes.clear()
        t.equal(
            "s = 1 is the plain estimate", t.call(guided, model, x, time, labels, 1.0, 4), want(1.0)
        )
        t.equal(
            "s = 1 costs no second half",
            sizes,
            [3],
            given="s = 1 and 3 images",
            because="without guidance nothing else is needed",
        )
        got = t.call(guided, model, x, time, torch.tensor([2, 0, 1]), 0.0, 3)
        t.equal(
            "no label is n_classes, whatever that is",
            got,
            x * table[3] + time.view(-1, 1, 1, 1) ** 2,
            given="n_classes = 3, s = 0",
        )

    @wrong("s = 0 forgets the label")
    def null_is_zero(model, x_t, t, labels, s, n_classes):
        if s == 1:
            return model(x_t, t, labels)
        a, b = model(
            torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([labels, labels * 0])
        ).chunk(2)
        return b + s * (a - b)

    @wrong("s = 0 forgets the label")
    def swapped(model, x_t, t, labels, s, n_classes):
        if s == 1:
            return model(x_t, t, labels)
        b, a = model(
            torch.cat([x_t, x_t]),
            torch.cat([t, t]),
            torch.cat([labels, torch.full_like(labels, n_classes)]),
        ).chunk(2)
        return b + s * (a - b)

    @wrong("s = 0 forgets the label")
    def other_convention(model, x_t, t, labels, s, n_classes):
        return OneBatch.reference(model, x_t, t, labels, 1 + s, n_classes)

    @wrong("both halves go in one call")
    def two_calls(model, x_t, t, labels, s, n_classes):
        if s == 1:
            return model(x_t, t, labels)
        a, b = model(x_t, t, labels), model(x_t, t, torch.full_like(labels, n_classes))
        return b + s * (a - b)

    @wrong("s = 1 costs no second half")
    def always_both(model, x_t, t, labels, s, n_classes):
        a, b = model(
            torch.cat([x_t, x_t]),
            torch.cat([t, t]),
            torch.cat([labels, torch.full_like(labels, n_classes)]),
        ).chunk(2)
        return b + s * (a - b)

    @wrong("s = 0 forgets the label")
    def interleaved_then_halved(model, x_t, t, labels, s, n_classes):
        if s == 1:
            return model(x_t, t, labels)
        pairs = torch.stack([labels, torch.full_like(labels, n_classes)], 1).flatten()
        a, b = model(x_t.repeat_interleave(2, 0), t.repeat_interleave(2), pairs).chunk(2)
        return b + s * (a - b)


class Vary(Exercise):
    "Variations that all look the same"

    id = "latent.vary"
    kind = "bug"
    difficulty, importance, minutes = 3, 4, 9
    covers = ("S2-F8",)
    task = (
        "Image-to-image: of the falling grid `times` `(n + 1,)`, from 1 to 0, only the last `k "
        "= round(strength * n)` steps are "
        "run, at least one, and the image is noised to the level at which they begin, on the "
        "flow path `(1 - t) x_0 + t noise`. "
        "Return `(x_t, rest)` with `rest` `(k + 1,)`. As written the grid is cut at the wrong "
        "end and the noise is of another "
        "level. Repair it."
    )
    starter = """
def start(x_0, noise, times, strength):
    k = max(1, round(strength * (len(times) - 1)))
    rest = times[: k + 1]
    return (1 - strength) * x_0 + strength * noise, rest
"""
    bug = "it ends at 0"
    hints = (
        "Which end of `times` is data?",
        "The grid may be uneven: after k steps of n the level need not be `strength`.",
        "rest = times[-(k + 1):]; t = rest[0]; (1 - t) * x_0 + t * noise",
    )

    def reference(x_0, noise, times, strength):
        k = max(1, round(strength * (len(times) - 1)))
        rest = times[-(k + 1) :]
        return (1 - rest[0]) * x_0 + rest[0] * noise, rest

    def another(x_0, noise, times, strength):
        n = len(times) - 1
        first = min(n - 1, n - round(strength * n))
        return torch.lerp(x_0, noise, times[first].item()), times[first:].clone()

    def check(t, start):
        x_0, noise = 5 + t.randn(2, 1, 3, 3), t.randn(2, 1, 3, 3)
        times = torch.linspace(1, 0, 11) ** 2  # uneven: 1, .81, .64, ..
        got = t.call(start, x_0, noise, times, 0.6)
        t.true(
            "a noised image and a grid",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got,
            "(x_t, rest)",
        )
        x_t, rest = got
        t.shape(
            "k steps need k + 1 times",
            rest,
            (7,),
            given="10 steps and strength .6",
            because="6 steps are run",
        )
        t.near(
            "it ends at 0",
            float(rest[-1]),
            0.0,
            1e-6,
            given="strength .6",
            because="the last steps are run: the first ones belong to the noise that is not there",
        )
        t.equal(
            "it holds the last times of the grid",
            rest,
            torch.tensor([0.36, 0.25, 0.16, 0.09, 0.04, 0.01, 0.0]),
            given="times (1 - i / 10)^2",
        )
        want = torch.tensor(
            [0.64 * a + 0.36 * e for a, e in zip(x_0.flatten().tolist(), noise.flatten().tolist())]
        ).view(x_0.shape)
        t.equal(
            "the image is noised to the level of the first step",
            x_t,
            want,
            given="the first time is .36, strength .6",
            atol=1e-4,
            because=(
                "the denoiser is told rest[0]; an image of another level looks too noisy "
                "or too clean to it"
            ),
        )
        rest = t.call(start, x_0, noise, times, 0.27)[1]
        t.shape(
            "the number of steps is rounded to the nearest",
            rest,
            (4,),
            given="10 steps and strength .27: 2.7 steps, so 3",
            because="int cuts off, round rounds",
        )
        rest = t.call(start, x_0, noise, times, 0.22)[1]
        t.shape(
            "the number of steps is rounded to the nearest",
            rest,
            (3,),
            given="10 steps and strength .22: 2.2 steps, so 2",
            because="ceil goes up, round rounds",
        )
        x_t, rest = t.call(start, x_0, noise, times, 1.0)
        t.equal("strength 1 starts from noise alone", x_t, noise, atol=1e-4)
        t.equal("strength 1 runs all steps", rest, times)
        x_t, rest = t.call(start, x_0, noise, times, 0.01)
        t.equal(
            "at least one step is run",
            rest,
            torch.tensor([0.01, 0.0]),
            given="10 steps and strength .01",
        )
        rest = t.call(start, x_0, noise, torch.linspace(1, 0, 6), 0.6)[1]
        t.shape("n is the number of steps of this grid", rest, (4,), given="5 steps, strength .6")

    @wrong("the number of steps is rounded to the nearest")
    def cut_off(x_0, noise, times, strength):
        k = max(1, int(strength * (len(times) - 1) + 1e-6))
        rest = times[-(k + 1) :]
        return (1 - rest[0]) * x_0 + rest[0] * noise, rest

    @wrong("the number of steps is rounded to the nearest")
    def rounded_up(x_0, noise, times, strength):
        rest = times[-max(1, math.ceil(strength * (len(times) - 1))) - 1 :]
        return (1 - rest[0]) * x_0 + rest[0] * noise, rest

    @wrong("the level of the first step")
    def level_is_strength(x_0, noise, times, strength):
        rest = Vary.reference(x_0, noise, times, strength)[1]
        return (1 - strength) * x_0 + strength * noise, rest

    @wrong("the level of the first step")
    def noise_alone(x_0, noise, times, strength):
        return noise.clone(), Vary.reference(x_0, noise, times, strength)[1]

    @wrong("it ends at 0")
    def first_steps(x_0, noise, times, strength):
        k = max(1, round(strength * (len(times) - 1)))
        return (1 - times[k]) * x_0 + times[k] * noise, times[: k + 1]

    @wrong("k steps need k + 1 times")
    def whole_grid(x_0, noise, times, strength):
        return Vary.reference(x_0, noise, times, strength)[0], times

    @wrong("k steps need k + 1 times")
    def one_too_few(x_0, noise, times, strength):
        k = max(1, round(strength * (len(times) - 1)))
        return (1 - times[-k]) * x_0 + times[-k] * noise, times[-k:]

    @wrong("the level of the first step")
    def noise_on_top(x_0, noise, times, strength):
        rest = Vary.reference(x_0, noise, times, strength)[1]
        return x_0 + rest[0] * noise, rest

    @wrong("k steps need k + 1 times")
    def by_level(x_0, noise, times, strength):
        rest = times[times <= strength]
        return (1 - rest[0]) * x_0 + rest[0] * noise, rest


class PaintOver(Exercise):
    "A seam around the hole"

    id = "latent.paint_over"
    kind = "bug"
    difficulty, importance, minutes = 3, 5, 10
    covers = ("S0-Q4",)
    task = (
        "One step of inpainting by replacement, flow path. `denoise(x_t, t)` with `t` `(b,)` "
        "gives the estimate of x_0. First "
        "go from time `t` to `s < t` (floats): keep the estimate of x_0 and of eps, and mix "
        "them at `s`. Then, where `mask` "
        "`(b, 1, h, w)` is True, put `known` `(b, c, h, w)` **noised to level s** with "
        "`noise`. As written clean pixels are "
        "pasted into a noisy picture. Repair it."
    )
    starter = """
def paint_over(denoise, x_t, t, s, known, mask, noise):
    x_0 = denoise(x_t, torch.full((len(x_t),), t))
    eps = (x_t - (1 - t) * x_0) / t
    x_s = (1 - s) * x_0 + s * eps
    return torch.where(mask, known, x_s)
"""
    bug = "the known part has the level of the rest"
    hints = (
        "What does the denoiser expect of a picture at time s, everywhere?",
        "known must have the same share of noise as x_s.",
        "torch.where(mask, (1 - s) * known + s * noise, x_s)",
    )

    def reference(denoise, x_t, t, s, known, mask, noise):
        x_0 = denoise(x_t, torch.full((len(x_t),), t))
        eps = (x_t - (1 - t) * x_0) / t
        return torch.where(mask, (1 - s) * known + s * noise, (1 - s) * x_0 + s * eps)

    def another(denoise, x_t, t, s, known, mask, noise):
        x_0 = denoise(x_t, x_t.new_full((x_t.shape[0],), t))
        x_s = x_t + (s - t) * (x_t - x_0) / t  # the slope is (x_t - x_0) / t
        keep = mask.to(x_t.dtype)
        return keep * torch.lerp(known, noise, s) + (1 - keep) * x_s

    def check(t, paint_over):
        b, c, h, w = 2, 3, 4, 5
        x_t, known, noise = t.randn(b, c, h, w), 3 + t.randn(b, c, h, w), t.randn(b, c, h, w)
        mask, told = t.rand(b, 1, h, w) < 0.5, []

        def denoise(x, time):
            told.append(time.detach().clone())
            return 0.7 * x.roll(1, 3) + time.view(-1, 1, 1, 1)  # looks at the neighbour

        got = t.call(paint_over, denoise, x_t, 0.8, 0.3, known, mask, noise)
        t.shape("the shape stays", got, (b, c, h, w))
        t.equal(
            "the denoiser is asked at time t, one for each image",
            told,
            [torch.full((b,), 0.8)],
            given="t = .8, s = .3",
        )
        for i in (0, 1):
            for j in range(c):
                inside = mask[i, 0]
                want = torch.tensor(
                    [
                        0.7 * k + 0.3 * n
                        for k, n in zip(known[i, j][inside].tolist(), noise[i, j][inside].tolist())
                    ]
                )
                t.equal(
                    "the known part has the level of the rest",
                    got[i, j][inside],
                    want,
                    given="t = .8, s = .3",
                    because=(
                        "(1 - s) known + s noise: neither clean, nor at level t, nor moved "
                        "by the step, which goes first"
                    ),
                )
                want = [
                    0.7 * (0.7 * y + 0.8) + 0.3 * (x - 0.2 * (0.7 * y + 0.8)) / 0.8
                    for x, y in zip(
                        x_t[i, j][~inside].tolist(), x_t[i, j].roll(1, 1)[~inside].tolist()
                    )
                ]
                t.equal(
                    "outside the step is as usual",
                    got[i, j][~inside],
                    torch.tensor(want),
                    atol=1e-4,
                    given="t = .8, s = .3",
                    because="the denoiser sees x_t as it came; what is known goes in afterwards",
                )
        got = t.call(paint_over, denoise, x_t, 0.1, 0.0, known, mask, noise)
        m = mask.expand_as(known)
        t.true(
            "at the end the known part is known to the last bit",
            torch.equal(got[m], known[m]),
            (got[m] - known[m]).abs().max(),
            "0",
        )
        told.clear()
        t.call(paint_over, denoise, x_t[:1], 0.8, 0.3, known[:1], mask[:1], noise[:1])
        t.equal("one time for one image", told, [torch.full((1,), 0.8)], given="a batch of 1")

    @wrong("the known part has the level")
    def at_level_t(denoise, x_t, t, s, known, mask, noise):
        x_s = PaintOver.reference(denoise, x_t, t, s, known, mask & False, noise)
        return torch.where(mask, (1 - t) * known + t * noise, x_s)

    @wrong("the known part has the level")
    def before_the_step(denoise, x_t, t, s, known, mask, noise):
        x_t = torch.where(mask, (1 - t) * known + t * noise, x_t)
        return PaintOver.reference(denoise, x_t, t, s, known, mask & False, noise)

    @wrong("outside the step is as usual")
    def before_and_after(denoise, x_t, t, s, known, mask, noise):
        x_t = torch.where(mask, (1 - t) * known + t * noise, x_t)
        return PaintOver.reference(denoise, x_t, t, s, known, mask, noise)

    @wrong("the known part has the level")
    def the_other_side(denoise, x_t, t, s, known, mask, noise):
        return PaintOver.reference(denoise, x_t, t, s, known, ~mask, noise)

    @wrong("outside the step is as usual")
    def noise_everywhere(denoise, x_t, t, s, known, mask, noise):
        x_0 = denoise(x_t, torch.full((len(x_t),), t))
        return (1 - s) * torch.where(mask, known, x_0) + s * noise

    @wrong("the known part has the level")
    def on_top(denoise, x_t, t, s, known, mask, noise):
        x_s = PaintOver.reference(denoise, x_t, t, s, known, mask & False, noise)
        return torch.where(mask, known + s * noise, x_s)

    @wrong("asked at time t")
    def asked_at_s(denoise, x_t, t, s, known, mask, noise):
        x_0 = denoise(x_t, torch.full((len(x_t),), s))
        return torch.where(
            mask, (1 - s) * known + s * noise, (1 - s) * x_0 + s * (x_t - (1 - t) * x_0) / t
        )

    @wrong("outside the step is as usual")
    def estimate_only(denoise, x_t, t, s, known, mask, noise):
        return torch.where(
            mask, (1 - s) * known + s * noise, denoise(x_t, torch.full((len(x_t),), t))
        )


class BackUp(Exercise):
    "Back up the stairs"

    id = "latent.back_up"
    difficulty, importance, minutes = 4, 3, 12
    covers = ("M35",)
    task = (
        "Resampling in inpainting goes back from time `s` to a noisier `t >= s` and down "
        "again, so that the new part and the "
        "known part get to know each other. On the flow path `x_s = (1 - s) x_0 + s eps`. "
        "Given `x_s`, floats `s < 1` and `t`, "
        "and fresh `noise`, return an `x_t` distributed as `(1 - t) x_0 + t eps'`: scale "
        "`x_s`, and add just enough noise."
    )
    starter = """
def back_up(x_s, s, t, noise): ...
"""
    hints = (
        "The share of x_0 must fall from 1 - s to 1 - t. Which factor does that?",
        "The factor shrinks the old noise too. Variances add: factor^2 s^2 + added^2 = t^2.",
        "a = (1 - t) / (1 - s); a * x_s + math.sqrt(t * t - a * a * s * s) * noise",
    )

    def reference(x_s, s, t, noise):
        a = (1 - t) / (1 - s)
        return a * x_s + math.sqrt(max(0.0, t * t - a * a * s * s)) * noise

    def another(x_s, s, t, noise):
        if t == 1:
            return noise.clone()
        ratio, low = t / (1 - t), s / (1 - s)  # noise per signal, before and after
        return (1 - t) * (
            x_s / (1 - s) + math.sqrt(max(0.0, (ratio - low) * (ratio + low))) * noise
        )

    def check(t, back_up):
        x, none = t.randn(4, 3), torch.zeros(4, 3)

        def factors(s, r):
            return t.call(back_up, none + 1, s, r, none), t.call(back_up, none, s, r, none + 1)

        for s, r in ((0.25, 0.75), (0.5, 0.6), (0.0, 0.3), (0.9, 1.0)):
            a, add = factors(s, r)
            t.shape("the shape stays", a, (4, 3))
            given = f"s = {s}, t = {r}"
            t.near(
                "the share of x_0 falls to 1 - t",
                a.mean().item() * (1 - s),
                1 - r,
                1e-6,
                given=given,
                because="x_s holds (1 - s) x_0: multiply by (1 - t) / (1 - s)",
            )
            variance = (a.mean() ** 2 * s * s + add.mean() ** 2).item()
            t.near(
                "old and new noise together have variance t^2",
                variance,
                r * r,
                1e-6,
                given=given,
                because=(
                    "independent noises add in their squares, and the old one has been "
                    "scaled as well"
                ),
            )
        t.equal(
            "t = s gives x_s back",
            t.call(back_up, x, 0.3, 0.3, none + 5),
            x,
            given="s = t = .3",
            because="nothing is to be added",
        )
        two = t.call(back_up, t.call(back_up, x, 0.2, 0.5, none), 0.5, 0.8, none)
        t.equal(
            "two stairs are as one",
            two,
            t.call(back_up, x, 0.2, 0.8, none),
            given="from .2 to .5 to .8 without noise",
        )

    @wrong("the share of x_0 falls")
    def no_scale(x_s, s, t, noise):
        return x_s + math.sqrt(max(0.0, t * t - s * s)) * noise

    @wrong("have variance t^2")
    def difference_of_squares(x_s, s, t, noise):
        return (1 - t) / (1 - s) * x_s + math.sqrt(max(0.0, t * t - s * s)) * noise

    @wrong("have variance t^2")
    def added_linearly(x_s, s, t, noise):
        a = (1 - t) / (1 - s)
        return a * x_s + (t - a * s) * noise

    @wrong("the share of x_0 falls")
    def as_if_clean(x_s, s, t, noise):
        return (1 - t) * x_s + t * noise

    @wrong("have variance t^2")
    def noise_at_t(x_s, s, t, noise):
        return (1 - t) / (1 - s) * x_s + t * noise

    @wrong("the share of x_0 falls")
    def as_if_preserving(x_s, s, t, noise):
        b = (t * t - s * s) / (1 - s * s)
        return math.sqrt(1 - b) * x_s + math.sqrt(b) * noise


class Arc(Exercise):
    "The grey middle between two noises"

    id = "latent.arc"
    kind = "bug"
    difficulty, importance, minutes = 3, 3, 9
    task = (
        "`blend(a, b, w)` should go from noise `a` (w = 0) to noise `b` (w = 1) on an arc, for "
        "tensors `(n, c, h, w)` of `n` "
        "pairs: `sin((1 - w) f) / sin f * a + sin(w f) / sin f * b`, where `f` is the angle "
        "between the two as **one long "
        "vector each**. For equal inputs it returns them. As written it takes the straight "
        "line, whose middle is too short to "
        "be noise. Repair it."
    )
    starter = """
def blend(a, b, w):
    return (1 - w) * a + w * b
"""
    bug = "the middle is as long as the ends"
    hints = (
        "How long is the mean of two independent noises of variance 1?",
        "cos f = a . b / (|a| |b|), over all axes but the first.",
        "f = cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1).acos().view(-1, 1, 1, "
        "1), and torch.where for sin f near 0",
    )

    def reference(a, b, w):
        f = (
            nn.functional.cosine_similarity(a.flatten(1), b.flatten(1))
            .clamp(-1, 1)
            .acos()
            .view(-1, 1, 1, 1)
        )
        sine = f.sin()
        arc = (((1 - w) * f).sin() * a + (w * f).sin() * b) / sine.clamp(min=1e-8)
        return torch.where(sine < 1e-3, torch.lerp(a, b, w), arc)

    def another(a, b, w):
        out = []
        for p, q in zip(a, b):
            length = p.norm()
            side = q - (p * q).sum() / length**2 * p  # the part of b at right angles to a
            cosine = ((p * q).sum() / length / q.norm()).item()
            f = math.acos(max(-1.0, min(1.0, cosine)))
            if math.sin(f) < 1e-3:
                out.append(p + w * (q - p))
                continue
            along = (
                math.sin((1 - w) * f) + math.sin(w * f) * cosine * (q.norm() / length).item()
            ) / math.sin(f)
            out.append(along * p + math.sin(w * f) / math.sin(f) * side)
        return torch.stack(out)

    def check(t, blend):
        a, b = t.randn(3, 2, 4, 4), t.randn(3, 2, 4, 4)
        a[2] = 0.7 * b[2] + 0.3 * a[2]  # pairs at different angles
        b = b * (a.flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).view(
            3, 1, 1, 1
        )  # of equal length
        ends = t.call(blend, a, b, 0.0), t.call(blend, a, b, 1.0)
        t.shape("the shape stays", ends[0], (3, 2, 4, 4))
        t.equal("w = 0 gives a, w = 1 gives b", torch.stack(ends), torch.stack([a, b]), atol=1e-4)
        middle = t.call(blend, a, b, 0.5)
        t.equal(
            "the middle is as long as the ends",
            middle.flatten(1).norm(dim=1),
            a.flatten(1).norm(dim=1),
            atol=1e-3,
            rtol=1e-3,
            given="3 pairs of equal length",
            because="the straight line runs inside the shell on which noise lives; every pair has "
            "its own angle, between whole tensors",
        )
        want, w, angles = [], 0.3, []
        for p, q in zip(a.flatten(1).tolist(), b.flatten(1).tolist()):
            dot, pp, qq = (sum(x * y for x, y in zip(u, v)) for u, v in ((p, q), (p, p), (q, q)))
            f = math.acos(dot / math.sqrt(pp * qq))
            angles.append(f)
            want.append(
                [
                    (math.sin(0.7 * f) * x + math.sin(0.3 * f) * y) / math.sin(f)
                    for x, y in zip(p, q)
                ]
            )
        t.equal(
            "the angle grows evenly",
            t.call(blend, a, b, w),
            torch.tensor(want).view(a.shape),
            atol=1e-3,
            given="w = .3",
            because=(
                "a straight line stretched to the right length covers the arc at an uneven pace"
            ),
        )
        angles = torch.tensor(angles).view(-1, 1, 1, 1)
        t.equal(
            "lengths are mixed as the formula says",
            t.call(blend, a, 2 * b, w),
            torch.tensor(want).view(a.shape) + (0.3 * angles).sin() / angles.sin() * b,
            atol=1e-3,
            given="w = .3, b twice as long",
            because="the angle knows no lengths",
        )
        t.equal(
            "a noise blended with itself stays",
            t.call(blend, a, a, 0.4),
            a,
            atol=1e-3,
            because="sin 0 / sin 0 is nan",
        )
        t.equal(
            "an equal pair changes nothing for the others",
            t.call(blend, a, torch.cat([b[:2], a[2:]]), w),
            torch.cat([torch.tensor(want).view(a.shape)[:2], a[2:]]),
            atol=1e-3,
            given="3 pairs, the last of them equal, w = .3",
            because="where a pair is equal is asked for each pair, with torch.where",
        )
        many = t.randn(64, 2, 4, 4)
        t.equal(
            "so does every one of many",
            t.call(blend, many, many, 0.4),
            many,
            atol=1e-3,
            given="64 pairs of equal noises",
            because="a cosine may come out as 1.0000001, and its acos is nan",
        )
        near = many + 5e-4 * many.flip(0)
        t.equal(
            "two that are nearly equal: w counts from a",
            t.call(blend, many, near, 0.2),
            many + 1e-4 * many.flip(0),
            2e-5,
            1e-5,
            given="b = a + 0.0005 of another noise, w = .2",
        )

    @wrong("the angle grows evenly")
    def stretched(a, b, w):
        mix = (1 - w) * a + w * b
        return mix * (a.flatten(1).norm(dim=1) / mix.flatten(1).norm(dim=1)).view(-1, 1, 1, 1)

    @wrong("the middle is as long")
    def one_angle_for_all(a, b, w):
        f = nn.functional.cosine_similarity(a.flatten(), b.flatten(), 0).clamp(-1, 1).acos()
        return (
            torch.lerp(a, b, w)
            if f.sin() < 1e-3
            else (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin()
        )

    @wrong("the middle is as long")
    def row_by_row(a, b, w):
        f = nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1).acos()[:, None]
        return torch.where(
            f.sin() < 1e-3,
            torch.lerp(a, b, w),
            (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin().clamp(min=1e-8),
        )

    @wrong("blended with itself stays")
    def nan_at_zero(a, b, w):
        f = (
            nn.functional.cosine_similarity(a.flatten(1), b.flatten(1))
            .clamp(-1, 1)
            .acos()
            .view(-1, 1, 1, 1)
        )
        f = torch.where(f < 1e-3, 0.0, f)
        return (((1 - w) * f).sin() * a + (w * f).sin() * b) / f.sin()

    @wrong("an equal pair changes nothing")
    def straight_for_all(a, b, w):
        f = nn.functional.cosine_similarity(a.flatten(1), b.flatten(1)).clamp(-1, 1).acos()
        return torch.lerp(a, b, w) if (f < 1e-3).any() else Arc.reference(a, b, w)

    @wrong("the middle is as long")
    def right_angle_assumed(a, b, w):
        return math.cos(w * math.pi / 2) * a + math.sin(w * math.pi / 2) * b

    @wrong("w = 0 gives a")
    def other_way(a, b, w):
        return Arc.reference(b, a, w)


class Cost(Exercise):
    "Faster than one pass?"

    id = "latent.cost"
    difficulty, importance, minutes = 2, 5, 8
    covers = ("S0-F11", "M24", "S2-F14")
    task = (
        "Return the multiply-adds for drawing `n_images` by latent diffusion, an int. One call "
        "of the denoiser costs `call` per "
        "image, the decoder `decode` per image. A first-order solver (`order=1`) calls once in "
        "each of `n_steps` steps; Heun "
        "(`order=2`) twice, except in the last step, which ends at noise 0 and is an Euler "
        "step. Guidance of scale `s` other "
        "than 1 doubles every call. A VAE of the same decoder costs `n_images * decode`: "
        "divide, and you have the answer to the "
        "claim that diffusion is faster."
    )
    starter = """
def cost(n_images, n_steps, call, decode, order=1, s=1.0): ...
"""
    hints = (
        "How often does the decoder run for one image?",
        "Calls for one image: n_steps, or 2 n_steps - 1; times 2 if s != 1.",
        "n_images * ((n_steps * order - (order - 1)) * call * (1 + (s != 1)) + decode)",
    )

    def reference(n_images, n_steps, call, decode, order=1, s=1.0):
        calls = n_steps if order == 1 else 2 * n_steps - 1
        return n_images * (calls * (1 if s == 1 else 2) * call + decode)

    def another(n_images, n_steps, call, decode, order=1, s=1.0):
        total = 0
        for step in range(n_steps):
            looks = 2 if order == 2 and step < n_steps - 1 else 1
            total += looks * call
            if s != 1:
                total += looks * call
        return (total + decode) * n_images

    def check(t, cost):
        got = t.call(cost, 1, 250, 7, 3)
        got = plain(got)
        t.true("a whole number", isinstance(got, int) and not isinstance(got, bool), got, "an int")
        t.equal(
            "250 steps and one decoder pass",
            got,
            1753,
            given="1 image, 250 steps, call 7, decode 3",
            because="250 x 7 + 3: the decoder runs once, at the end, not in every step",
        )
        t.equal(
            "guidance doubles the calls",
            t.call(cost, 1, 250, 7, 3, 1, 4.0),
            3503,
            given="s = 4",
            because="500 x 7 + 3: calls, not the decoder",
        )
        t.equal(
            "guidance below 1 needs both calls too",
            t.call(cost, 1, 250, 7, 3, 1, 0.5),
            3503,
            given="s = .5",
        )
        t.equal(
            "Heun looks twice, but not in the last step",
            t.call(cost, 1, 10, 7, 3, 2),
            136,
            given="10 Heun steps: 19 calls",
            because="2 n - 1 calls: at noise 0 there is no slope to look at",
        )
        t.equal("Heun with guidance", t.call(cost, 1, 10, 7, 3, 2, 2.0), 269, given="38 calls")
        t.equal(
            "every image pays",
            t.call(cost, 40, 12, 1000, 300, 1, 2.0),
            972000,
            given="40 images, 12 steps, s = 2",
            because="a batch saves waiting, not multiplications",
        )

    @wrong("250 steps and one decoder pass")
    def decoded_in_every_step(n_images, n_steps, call, decode, order=1, s=1.0):
        return n_images * (n_steps * order - order + 1) * (call * (1 if s == 1 else 2) + decode)

    @wrong("guidance doubles the calls")
    def decoder_doubled(n_images, n_steps, call, decode, order=1, s=1.0):
        return n_images * ((n_steps * order - order + 1) * call + decode) * (1 if s == 1 else 2)

    @wrong("guidance below 1")
    def only_above_one(n_images, n_steps, call, decode, order=1, s=1.0):
        return Cost.reference(n_images, n_steps, call, decode, order, max(s, 1.0))

    @wrong("250 steps and one decoder pass")
    def guidance_always(n_images, n_steps, call, decode, order=1, s=1.0):
        return Cost.reference(n_images, n_steps, call, decode, order, 2.0)

    @wrong("not in the last step")
    def twice_in_all(n_images, n_steps, call, decode, order=1, s=1.0):
        return n_images * (n_steps * order * call * (1 if s == 1 else 2) + decode)

    @wrong("every image pays")
    def decoder_once_for_all(n_images, n_steps, call, decode, order=1, s=1.0):
        return Cost.reference(n_images, n_steps, call, 0, order, s) + decode

    @wrong("guidance doubles the calls")
    def guidance_is_free(n_images, n_steps, call, decode, order=1, s=1.0):
        return Cost.reference(n_images, n_steps, call, decode, order)

    @wrong("250 steps and one decoder pass")
    def one_pass(n_images, n_steps, call, decode, order=1, s=1.0):
        return n_images * (call + decode)


class TwoSides(Exercise):
    "All ten digits, each the same"

    id = "latent.two_sides"
    kind = "bug"
    difficulty, importance, minutes = 4, 5, 12
    covers = ("M25", "S2-F13")
    task = (
        "`report(said, labels, real, fake, k)` should show what guidance bought and what it "
        "cost: a dict with `recognised`, the "
        "share of fakes whose `said` equals the label asked for, `precision` and `recall` "
        "(Kynkaanniemi et al. 2019) of "
        "features `real` `(n, d)` and `fake` `(m, d)`. The first `min(n, m)` of each are used, "
        "for all three. A point is "
        "covered by a set if it lies within the radius of one of its points: the distance from "
        "that point to its `k`-th nearest "
        "**other** point of the set. Recall is the share of real points covered by the fakes. "
        "As written only one side is "
        "shown, and sizes differ. Repair it."
    )
    starter = """
def report(said, labels, real, fake, k=3):
    recognised = (said == labels).double().mean().item()
    return {"recognised": recognised, "precision": covered(fake, real, k)}


def covered(points, others, k):
    radius = torch.cdist(others, others).sort(1).values[:, k - 1]  # (m,)
    return (torch.cdist(points, others) <= radius).any(1).double().mean().item()
"""
    bug = "three figures"
    hints = (
        "Which of the three falls when all pictures of a class become alike?",
        "The sorted distances of a set to itself begin with 0, the point itself.",
        "n = min(len(real), len(fake)); cut all four; sort(1).values[:, k]; recall = "
        "covered(real, fake, k)",
    )

    def reference(said, labels, real, fake, k=3):
        n = min(len(real), len(fake))
        said, labels, real, fake = said[:n], labels[:n], real[:n], fake[:n]

        def covered(points, others):
            radius = (
                torch.cdist(others, others).sort(1).values[:, k]
            )  # column 0 is the point itself
            return (torch.cdist(points, others) <= radius).any(1).double().mean().item()

        return {
            "recognised": (said == labels).double().mean().item(),
            "precision": covered(fake, real),
            "recall": covered(real, fake),
        }

    def another(said, labels, real, fake, k=3):
        n = min(len(real), len(fake))
        real, fake = real[:n].double(), fake[:n].double()

        def reach(x):
            d = (x[:, None] - x[None]).norm(dim=-1)
            return d.fill_diagonal_(torch.inf).kthvalue(k, 1).values

        between = (real[:, None] - fake[None]).norm(dim=-1)  # (n, n) rows real, columns fake
        return {
            "recognised": sum(a == b for a, b in zip(said[:n].tolist(), labels[:n].tolist())) / n,
            "precision": (between <= reach(real)[:, None]).any(0).float().mean().item(),
            "recall": (between <= reach(fake)[None]).any(1).float().mean().item(),
        }

    def check(t, report):
        real, fake = 2 * t.randn(60, 3), t.randn(90, 3) + 1.5
        labels = t.randint(0, 10, (90,))
        said = torch.where(torch.arange(90) % 4 == 0, (labels + 1) % 10, labels)
        said[60:] = labels[60:]  # the tail is recognised better
        got = t.call(report, said, labels, real, fake, 3)
        names = {"recognised", "precision", "recall"}
        t.true(
            "three figures",
            isinstance(got, dict) and set(got) == names,
            sorted(got) if isinstance(got, dict) else got,
            sorted(names),
            because="guidance always looks good if its price is not shown",
        )
        got = {k: float(v) for k, v in got.items()}

        def far(p, q):
            return math.dist(p.tolist(), q.tolist())

        def covered(points, others, k=3):
            radius = [
                sorted(far(p, q) for j, q in enumerate(others) if j != i)[k - 1]
                for i, p in enumerate(others)
            ]
            return sum(any(far(p, q) <= r for q, r in zip(others, radius)) for p in points) / len(
                points
            )

        t.near(
            "recognised is the share of the fakes that are used",
            got["recognised"],
            0.75,
            1e-6,
            given="60 real, 90 fake: 60 of each",
        )
        t.near(
            "precision is the share of fakes within reach of real",
            got["precision"],
            covered(fake[:60], real),
            1e-6,
            given="60 real, 90 fake, k = 3",
            because="the distances of a set to itself begin with the point itself: "
            "take column k, of the first 60",
        )
        t.near(
            "recall is the share of real within reach of fakes",
            got["recall"],
            covered(real, fake[:60]),
            1e-6,
            given="60 real, 90 fake, k = 3",
            because="more fakes have smaller balls and more of them: cut both sets to one size",
        )
        usual = t.call(report, said, labels, real, fake)
        t.true(
            "k is 3 unless given",
            all(abs(float(usual[n]) - got[n]) < 1e-6 for n in names),
            usual,
            got,
        )
        few = t.call(report, said[:20], labels[:20], real, fake[:20], 1)
        t.near(
            "sizes are made equal the other way round too",
            float(few["precision"]),
            covered(fake[:20], real[:20], 1),
            1e-6,
            given="60 real, 20 fake, k = 1",
            because="real is cut to 20 here, and k is an argument",
        )
        t.near(
            "recall is over as many real as fake",
            float(few["recall"]),
            covered(real[:20], fake[:20], 1),
            1e-6,
            given="60 real, 20 fake, k = 1",
        )
        short = t.call(report, said, labels, real[:20], fake, 1)
        t.near(
            "a small set of real points cuts the fakes",
            float(short["precision"]),
            float(few["precision"]),
            1e-6,
            given="20 real, 90 fake, k = 1",
        )
        real, fake = (
            torch.tensor([[0.0], [1.0], [5.0]]),
            torch.tensor([[2.0], [9.0], [20.0]]),
        )  # reach of real: 1, 1, 4
        edge = t.call(report, said[:3], labels[:3], real, fake, 1)
        t.near(
            "within the radius means at most the radius",
            float(edge["precision"]),
            2 / 3,
            1e-6,
            given="real 0 1 5, fake 2 9 20, k = 1",
            because="9 is exactly 4 from 5, whose nearest other point is 4 away",
        )
        edge = t.call(report, said[:3], labels[:3], fake, real, 1)
        t.near(
            "so it does for recall",
            float(edge["recall"]),
            2 / 3,
            1e-6,
            given="fake 0 1 5, real 2 9 20, k = 1",
        )

    @wrong("recognised is the share")
    def all_fakes(said, labels, real, fake, k=3):
        return TwoSides.another(said, labels, real, fake, k) | {
            "recognised": (said == labels).double().mean().item()
        }

    @wrong("within reach of real")
    def counts_itself(said, labels, real, fake, k=3):
        return TwoSides.reference(said, labels, real, fake, k - 1)

    @wrong("within reach of real")
    def sides_swapped(said, labels, real, fake, k=3):
        r = TwoSides.reference(said, labels, real, fake, k)
        return r | {"precision": r["recall"], "recall": r["precision"]}

    @wrong("recall is the share")
    def unequal(said, labels, real, fake, k=3):
        radius = torch.cdist(fake, fake).sort(1).values[:, k]
        recall = (torch.cdist(real, fake) <= radius).any(1).double().mean().item()
        return TwoSides.reference(said, labels, real, fake, k) | {"recall": recall}

    @wrong("recall is the share")
    def coverage(said, labels, real, fake, k=3):
        n = min(len(real), len(fake))
        radius = torch.cdist(real[:n], real[:n]).sort(1).values[:, k]
        recall = (torch.cdist(real[:n], fake[:n]) <= radius[:, None]).any(1).double().mean().item()
        return TwoSides.reference(said, labels, real, fake, k) | {"recall": recall}

    @wrong("three figures")
    def only_accuracy(said, labels, real, fake, k=3):
        return {"recognised": (said == labels).double().mean().item()}

    @wrong("sizes are made equal the other way")
    def only_fakes_cut(said, labels, real, fake, k=3):
        n = len(real)
        if len(fake) >= n:
            return TwoSides.reference(said, labels, real, fake, k)
        radius = torch.cdist(real, real).sort(1).values[:, k]
        precision = (torch.cdist(fake, real) <= radius).any(1).double().mean().item()
        return TwoSides.reference(said, labels, real, fake, k) | {"precision": precision}


class Averaged(Exercise):
    "The weights nobody sampled from"

    id = "latent.averaged"
    kind = "bug"
    difficulty, importance, minutes = 3, 4, 9
    covers = ("M25",)
    task = (
        "`draw_averaged(model, shadow, draw)` should return `draw(model)` with the averaged "
        "weights `shadow` (a dict of "
        "parameter name -> tensor) and with the model in evaluation mode, and leave the model "
        "as it was: its own weights, its "
        "own mode, even if `draw` raises; `shadow` is not touched by what happens to the model "
        "afterwards. As written it "
        "samples with the raw weights, in training mode. Repair it."
    )
    starter = """
def draw_averaged(model, shadow, draw):
    with torch.no_grad():
        return draw(model)
"""
    bug = "the averaged weights are used"
    hints = (
        "Keep clones of the raw weights and of model.training.",
        "try: ... finally: put everything back",
        "p.copy_(shadow[name]) copies values; p.data = shadow[name] would make the two one tensor.",
    )

    def reference(model, shadow, draw):
        raw, mode = {k: p.detach().clone() for k, p in model.named_parameters()}, model.training
        try:
            with torch.no_grad():
                for k, p in model.named_parameters():
                    p.copy_(shadow[k])
                return draw(model.eval())
        finally:
            with torch.no_grad():
                for k, p in model.named_parameters():
                    p.copy_(raw[k])
            model.train(mode)

    def another(model, shadow, draw):
        import copy

        twin = copy.deepcopy(model)
        twin.load_state_dict(twin.state_dict() | shadow)
        with torch.no_grad():
            return draw(twin.eval())

    def check(t, draw_averaged):
        class Net(nn.Module):
            "One weight and a dropout that would show."

            def __init__(self):
                super().__init__()
                self.w, self.drop = nn.Parameter(torch.full((1, 200), 1.0)), nn.Dropout(0.5)

            def forward(self, x):
                return self.drop(self.w * x)

        model, shadow, x = Net(), {"w": torch.full((1, 200), 3.0)}, t.rand(1, 200) + 1
        got = t.call(draw_averaged, model, shadow, lambda m: m(x).detach().clone())
        t.shape("it returns what draw returns", got, (1, 200))
        alive = got[got != 0]
        near = alive.numel() > 0 and (alive / x[got != 0]).min() > 2.7
        t.true(
            "the averaged weights are used",
            near,
            float((got / x).mean()),
            "about 3",
            given="raw weights 1, averaged weights 3",
            because="the shadow must be copied into the model before draw is called",
        )
        t.equal(
            "dropout is off while drawing",
            got,
            3 * x,
            atol=1e-4,
            because="model.eval() before draw: training mode drops and rescales",
        )
        t.true(
            "the raw weights are back",
            torch.equal(model.w.detach(), torch.ones(1, 200)),
            model.w.mean(),
            "1 everywhere",
            because="training goes on from them",
        )
        t.true("the mode is back", model.training, "evaluation mode", "training mode, as before")
        model.eval()
        t.call(draw_averaged, model, shadow, lambda m: m(x).detach().clone())
        t.true(
            "a model in evaluation mode stays in it",
            not model.training,
            "training mode",
            "evaluation mode, as before",
        )
        model.train()

        def fails(m):
            raise KeyboardInterrupt

        try:
            draw_averaged(model, shadow, fails)
        except KeyboardInterrupt:
            pass
        t.true(
            "an interrupted draw changes nothing",
            torch.equal(model.w.detach(), torch.ones(1, 200)) and model.training,
            model.w.mean(),
            "raw weights and training mode",
            because="put them back in a finally block",
        )
        with torch.no_grad():
            model.w.fill_(7.0)
        t.equal(
            "the shadow is a tensor of its own",
            shadow["w"],
            torch.full((1, 200), 3.0),
            given="the raw weights were changed afterwards",
            because="p.data = shadow[k] makes both names for one tensor; copy the values",
        )
        two = nn.Linear(3, 2)
        ones = {k: torch.ones_like(p) for k, p in two.named_parameters()}
        t.equal(
            "every weight is the averaged one",
            t.call(draw_averaged, two, ones, lambda m: m(torch.ones(1, 3)).detach().clone()),
            torch.full((1, 2), 4.0),
            given="a weight and a bias, averaged to ones",
            because="draw when all of them are copied: after the loop, not inside it",
        )
        norm, twos = nn.LayerNorm(3), torch.full((3,), 2.0)
        t.equal(
            "each weight is found by its name",
            t.call(draw_averaged, norm, {"bias": 2 + twos, "weight": twos}, lambda m: m.weight + 0),
            twos,
            given="a shadow that names the bias first",
            because="shadow[name]: the order of a dict is not that of the model",
        )

    @wrong("dropout is off")
    def in_training_mode(model, shadow, draw):
        raw = {k: p.detach().clone() for k, p in model.named_parameters()}
        with torch.no_grad():
            for k, p in model.named_parameters():
                p.copy_(shadow[k])
            out = draw(model)
            for k, p in model.named_parameters():
                p.copy_(raw[k])
        return out

    @wrong("the averaged weights are used")
    def raw_weights(model, shadow, draw):
        mode = model.training
        try:
            return draw(model.eval())
        finally:
            model.train(mode)

    @wrong("the raw weights are back")
    def never_put_back(model, shadow, draw):
        mode = model.training
        with torch.no_grad():
            for k, p in model.named_parameters():
                p.copy_(shadow[k])
            out = draw(model.eval())
        model.train(mode)
        return out

    @wrong("the mode is back")
    def stays_in_eval(model, shadow, draw):
        return Averaged.reference(model.eval(), shadow, draw)

    @wrong("an interrupted draw")
    def not_in_finally(model, shadow, draw):
        raw, mode = {k: p.detach().clone() for k, p in model.named_parameters()}, model.training
        with torch.no_grad():
            for k, p in model.named_parameters():
                p.copy_(shadow[k])
            out = draw(model.eval())
            for k, p in model.named_parameters():
                p.copy_(raw[k])
        model.train(mode)
        return out

    @wrong("the raw weights are back")
    def kept_without_a_copy(model, shadow, draw):
        raw, mode = dict(model.named_parameters()), model.training
        with torch.no_grad():
            for k, p in model.named_parameters():
                p.copy_(shadow[k])
            out = draw(model.eval())
            for k, p in model.named_parameters():
                p.copy_(raw[k])
        model.train(mode)
        return out

    @wrong("stays in it")
    def always_train_after(model, shadow, draw):
        try:
            return Averaged.reference(model, shadow, draw)
        finally:
            model.train()

    @wrong("the shadow is a tensor of its own")
    def one_tensor_for_both(model, shadow, draw):
        raw, mode = {k: p.detach().clone() for k, p in model.named_parameters()}, model.training
        try:
            with torch.no_grad():
                for k, p in model.named_parameters():
                    p.data = shadow[k]
                return draw(model.eval())
        finally:
            with torch.no_grad():
                for k, p in model.named_parameters():
                    p.copy_(raw[k])
            model.train(mode)

    @wrong("each weight is found by its name")
    def in_the_order_of_the_dict(model, shadow, draw):
        names = [k for k, _ in model.named_parameters()]
        if all(shadow[k].shape == v.shape for k, v in zip(names, shadow.values())):
            shadow = dict(zip(names, shadow.values()))
        return Averaged.reference(model, shadow, draw)

    @wrong("every weight is the averaged one")
    def return_inside_the_loop(model, shadow, draw):
        raw, mode = {k: p.detach().clone() for k, p in model.named_parameters()}, model.training
        try:
            with torch.no_grad():
                for k, p in model.named_parameters():
                    p.copy_(shadow[k])
                    return draw(model.eval())
        finally:
            with torch.no_grad():
                for k, p in model.named_parameters():
                    p.copy_(raw[k])
            model.train(mode)
