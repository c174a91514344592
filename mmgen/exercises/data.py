"Exercises of the data notebook."

import math
from pathlib import Path

import torch
from torch.nn import functional as F  # noqa: F401  (learners use it)

from .engine import Exercise, plain, wrong


class ToUint8(Exercise):
    "From [-1, 1] back to 256 counts"

    id = "data.to_uint8"
    difficulty, importance, minutes = 1, 4, 4
    task = (
        "Turn a float tensor `x` of any shape, meant to lie in [-1, 1], into uint8 counts: -1 "
        "is 0, 1 is 255, even steps between, each number to the nearest count. A model overshoots "
        "now and then: what lies outside goes to the nearer end."
    )
    starter = """
def to_uint8(x): ...
"""
    hints = (
        "Undo x / 127.5 - 1, in the reverse order.",
        "A cast to uint8 cuts the fraction off and wraps what is too large.",
        "((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)",
    )

    def reference(x):
        return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)

    def another(x):
        return (x.clamp(-1, 1).double() * 127.5 + 128).floor().clamp(max=255).byte()

    def check(t, to_uint8):
        counts = torch.arange(256)
        got = t.call(to_uint8, torch.tensor([-1.0, 1.0]))
        t.true(
            "it returns uint8",
            isinstance(got, torch.Tensor) and got.dtype == torch.uint8,
            getattr(got, "dtype", type(got)),
            torch.uint8,
            because="end with .to(torch.uint8)",
        )
        t.equal(
            "the ends are 0 and 255",
            got.long(),
            torch.tensor([0, 255]),
            given="x = [-1, 1]",
            because="the range 2 is stretched to 255: times 127.5",
        )
        t.equal(
            "in between it is even",
            t.call(to_uint8, torch.tensor([-0.6, 0.2])).long(),
            torch.tensor([51, 153]),
            atol=1.0,
            given="x = [-0.6, 0.2]",
            because="-1 is 0, so add 1 first",
        )
        got = t.call(to_uint8, torch.stack([counts, counts.flip(0)]) / 127.5 - 1).long()
        t.equal(
            "all 256 counts come back",
            got,
            torch.stack([counts, counts.flip(0)]),
            given="every count / 127.5 - 1, in two rows",
            because="a cast cuts the fraction off: round first",
        )
        grid = counts[:255].view(3, 5, 17)
        for part, want in ((0.25, grid), (0.75, grid + 1)):
            got = t.call(to_uint8, (grid + part) / 127.5 - 1)
            t.equal(
                "each number goes to the nearest count",
                got.long(),
                want,
                given=f"(count + {part}) / 127.5 - 1, shape (3, 5, 17)",
                because="round, neither up nor down; the shape stays",
            )
        got = t.call(to_uint8, torch.tensor([[-1.2, 1.01, 7.0]])).long()
        t.equal(
            "what lies outside goes to the nearer end",
            got,
            torch.tensor([[0, 255, 255]]),
            given="x = [-1.2, 1.01, 7]",
            because="uint8 counts modulo 256: white turns black without a clamp",
        )

    @wrong("all 256 counts come back")
    def cut_off(x):
        return ((x + 1) * 127.5).clamp(0, 255).to(torch.uint8)

    @wrong("goes to the nearer end")
    def wraps(x):
        return ((x + 1) * 127.5).round().to(torch.int64).remainder(256).to(torch.uint8)

    @wrong("in between it is even")
    def from_zero_one(x):
        return (x * 255).round().clamp(0, 255).to(torch.uint8)

    @wrong("all 256 counts come back")
    def stretched(x):
        return ((x + 1) * 128).round().clamp(0, 255).to(torch.uint8)

    @wrong("it returns uint8")
    def floats(x):
        return ((x + 1) * 127.5).round().clamp(0, 255)

    @wrong("each number goes to the nearest count")
    def rounded_up(x):
        return ((x.clamp(-1, 1) + 1) * 127.5 - 1e-3).ceil().to(torch.uint8)

    @wrong("each number goes to the nearest count")
    def equal_bins(x):
        return ((x + 1) * 128).floor().clamp(0, 255).to(torch.uint8)


class FromCamera(Exercise):
    "From a camera's batch to a network's"

    id = "data.from_camera"
    difficulty, importance, minutes = 1, 5, 4
    task = (
        "`photos` is uint8 `(b, h, w, c)`, as files and cameras give it. Return float32 "
        "`(b, c, h, w)` in [-1, 1]."
    )
    starter = """
def from_camera(photos): ...
"""
    hints = (
        "Which axis is the channel, and where does PyTorch want it?",
        "Moving an axis is not the same as giving the numbers another shape.",
        "photos.permute(0, 3, 1, 2).float() / 127.5 - 1",
    )

    def reference(photos):
        return photos.permute(0, 3, 1, 2).float() / 127.5 - 1

    def another(photos):
        return torch.stack([(p.to(torch.float32) - 127.5) / 127.5 for p in photos.unbind(3)], 1)

    def check(t, from_camera):
        photos = t.randint(0, 256, (2, 4, 5, 3)).to(torch.uint8)
        got = t.call(from_camera, photos)
        t.shape(
            "the channel axis comes second",
            got,
            (2, 3, 4, 5),
            given="photos (2, 4, 5, 3)",
            because="height and width keep their order",
        )
        t.true(
            "it returns float32",
            got.dtype == torch.float32,
            got.dtype,
            torch.float32,
            because="uint8 arithmetic wraps around; double is twice the memory",
        )
        want = torch.tensor(
            [
                [
                    [[photos[b, i, j, c].item() / 127.5 - 1 for j in range(5)] for i in range(4)]
                    for c in range(3)
                ]
                for b in range(2)
            ]
        )
        t.true(
            "values lie in [-1, 1]",
            got.min() >= -1 and got.max() <= 1 and got.min() < 0,
            got,
            "numbers in [-1, 1]",
            because="divide by 127.5, then subtract 1",
        )
        t.equal(
            "each pixel keeps its place",
            got,
            want,
            given="photos (2, 4, 5, 3)",
            because=(
                "view and reshape keep the order in memory: they mix rows and colours; "
                "permute moves an axis"
            ),
        )
        depth = t.randint(0, 256, (1, 2, 3, 4)).to(torch.uint8)
        t.shape(
            "every channel is kept",
            t.call(from_camera, depth),
            (1, 4, 2, 3),
            given="photos (1, 2, 3, 4), colour and depth",
            because="c is the last axis of the argument, not 3",
        )

    @wrong("every channel is kept")
    def three_channels(photos):
        return photos[..., :3].permute(0, 3, 1, 2).float() / 127.5 - 1

    @wrong("each pixel keeps its place")
    def reshaped(photos):
        return photos.reshape(len(photos), 3, *photos.shape[1:3]).float() / 127.5 - 1

    @wrong("the channel axis comes second")
    def transposed(photos):
        return photos.transpose(1, 3).float() / 127.5 - 1

    @wrong("the channel axis comes second")
    def unmoved(photos):
        return photos.float() / 127.5 - 1

    @wrong("values lie in [-1, 1]")
    def zero_one(photos):
        return photos.permute(0, 3, 1, 2).float() / 255

    @wrong("it returns float32")
    def double(photos):
        return photos.permute(0, 3, 1, 2).double() / 127.5 - 1


class Entropy(Exercise):
    "Bits of a table of integers"

    id = "data.entropy"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S2-F28",)
    task = (
        "Return how many bits each element of the integer tensor `values` (any shape, negative "
        "numbers too) needs on average when "
        "every element is coded by itself."
    )
    starter = """
def entropy(values): ...
"""
    hints = (
        "Count how often each value occurs; shares, not counts, go into the formula.",
        "values.unique(return_counts=True) counts; a value that never occurs costs nothing.",
        "-(p * p.log2()).sum() with p = counts / values.numel()",
    )

    def reference(values):
        p = values.flatten().unique(return_counts=True)[1] / values.numel()
        return -(p * p.log2()).sum().item()

    def another(values):
        from collections import Counter

        n = values.numel()
        return (
            sum(
                c * (math.log2(n) - math.log2(c))
                for c in Counter(values.flatten().tolist()).values()
            )
            / n
        )

    def check(t, entropy):
        t.equal(
            "two equally frequent values are one bit",
            t.call(entropy, torch.tensor([3, 3, 9, 9])),
            1.0,
            given="[3, 3, 9, 9]",
            because=(
                "logarithm to the base 2; 0 * log 0 is nan, so a value that never occurs "
                "is left out"
            ),
        )
        t.equal(
            "a constant carries no information",
            t.call(entropy, torch.full((2, 3), 5)),
            0.0,
            given="six fives",
            because="log2 of 1 is 0; a value with p = 0 is left out",
        )
        t.equal(
            "shares weigh the logarithms",
            t.call(entropy, torch.tensor([[0, 0, 0, 0], [-1, -1, 7, 8]])),
            1.75,
            given="[[0, 0, 0, 0], [-1, -1, 7, 8]]",
            because="each surprise -log2 p counts p times",
        )
        t.equal(
            "numbers that differ are values of their own",
            t.call(entropy, torch.tensor([-1, 1, 255, 257])),
            2.0,
            given="[-1, 1, 255, 257]",
            because="abs and a cast to uint8 make one value of two",
        )
        t.near(
            "a shuffle changes nothing",
            t.call(entropy, torch.arange(32).flip(0).view(4, 8)),
            5.0,
            1e-4,
            given="the numbers 0..31 from the last to the first",
            because="single values are counted, not their neighbours",
        )

    @wrong("two equally frequent values are one bit")
    def in_nats(values):
        p = values.flatten().unique(return_counts=True)[1] / values.numel()
        return -(p * p.log()).sum().item()

    @wrong("shares weigh the logarithms")
    def unweighted(values):
        p = values.flatten().unique(return_counts=True)[1] / values.numel()
        return -p.log2().mean().item()

    @wrong("shares weigh the logarithms")
    def of_the_alphabet(values):
        return math.log2(len(values.unique()))

    @wrong("0 * log 0 is nan")
    def with_empty_bins(values):
        p = torch.bincount(values.flatten() - values.min()) / values.numel()
        return -(p * p.log2()).sum().item()

    @wrong("shares weigh the logarithms")
    def whole_bits(values):
        p = values.flatten().unique(return_counts=True)[1] / values.numel()
        return float(math.ceil(-(p * p.log2()).sum().item()))

    @wrong("numbers that differ are values of their own")
    def of_absolute_values(values):
        p = values.flatten().abs().unique(return_counts=True)[1] / values.numel()
        return -(p * p.log2()).sum().item()

    @wrong("numbers that differ are values of their own")
    def of_bytes(values):
        p = values.flatten().to(torch.uint8).unique(return_counts=True)[1] / values.numel()
        return -(p * p.log2()).sum().item()


class SplitByVoice(Exercise):
    "A split that shares no voice"

    id = "data.split_by_voice"
    difficulty, importance, minutes = 2, 5, 7
    task = (
        "`voices` names the speaker of each recording, `test_voices` those kept for the test. "
        "Return two lists of positions, "
        "`(train, test)`, "
        "each in rising order. A name in `test_voices` that nobody has is a ValueError."
    )
    starter = """
def split_by_voice(voices, test_voices): ...
"""
    hints = (
        "Decide by the name, never by the position.",
        "Compare set(test_voices) with set(voices) before anything else.",
        "[i for i, v in enumerate(voices) if v not in test_voices] and its opposite",
    )

    def reference(voices, test_voices):
        if unknown := set(test_voices) - set(voices):
            raise ValueError(f"no recording of {sorted(unknown)}")
        return [i for i, v in enumerate(voices) if v not in test_voices], [
            i for i, v in enumerate(voices) if v in test_voices
        ]

    def another(voices, test_voices):
        for name in test_voices:
            if name not in voices:
                raise ValueError(f"{name!r} speaks nowhere")
        parts = ([], [])
        for i, v in enumerate(voices):
            parts[any(v == name for name in test_voices)].append(i)
        return parts

    def check(t, split_by_voice):
        voices = ["ann", "bob", "ann", "joanna", "bob", "cy", "ann"]
        got = t.call(split_by_voice, list(voices), ["ann", "cy"])
        t.true(
            "it returns two lists",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got,
            "a pair (train, test)",
        )
        train, test = (list(part) for part in got)
        t.true(
            "it returns positions",
            all(isinstance(plain(i), int) for i in train + test),
            train + test,
            "integers, such as 0 for the first recording",
        )
        t.true(
            "positions are counted from 0",
            all(0 <= i < 7 for i in train + test),
            train + test,
            "0 to 6 for seven recordings",
        )
        shared = {voices[i] for i in train} & {voices[i] for i in test}
        t.true(
            "no voice is on both sides",
            not shared,
            f"{sorted(shared)} in both",
            "voices apart",
            given=f"{voices}, test: ann, cy",
            because="a cut at a position, or a random one, splits the recordings of one person",
        )
        t.equal(
            "every recording is used once",
            sorted(train + test),
            list(range(7)),
            given=f"{voices}",
            because="a recording was lost or used twice",
        )
        t.equal(
            "the test holds the voices asked for",
            test,
            [0, 2, 5, 6],
            given=f"{voices}, test: ann, cy",
            because="compare whole names: 'ann' is part of 'joanna'",
        )
        for names in (["zoe"], ["ann", "zoe"]):
            refused = False
            try:
                split_by_voice(list(voices), list(names))
            except ValueError:
                refused = True
            t.true(
                "an unknown voice is an error",
                refused,
                "no ValueError",
                "ValueError",
                given=f"test: {', '.join(names)}",
                because="a misspelt name would leave a voice out of the test, silently",
            )
        train, test = t.call(split_by_voice, ["bob", "ann", "bob"], ["ann"])
        t.equal(
            "the first and the last recording are used too",
            [*train, *test],
            [0, 2, 1],
            given="bob, ann, bob, test: ann",
        )
        for names, asked, want in (
            (voices, ["joanna"], [[0, 1, 2, 4, 5, 6], [3]]),
            (["ann", "Ann"], ["ann"], [[1], [0]]),
            (["cy", "bob", "ann", "cy"], ["ann"], [[0, 1, 3], [2]]),
        ):
            t.equal(
                "names are compared whole, positions rise",
                [list(part) for part in t.call(split_by_voice, list(names), list(asked))],
                want,
                given=f"{names}, test: {', '.join(asked)}",
                because="v in text finds parts of names; a sort by name breaks the order",
            )
        try:
            got = [list(part) for part in split_by_voice(["ann", "bob"], [])]
        except ValueError as error:
            got = f"ValueError: {error}"
        t.equal("an empty test is no error", got, [[0, 1], []], given="ann, bob, test: nobody")

    @wrong("no voice is on both sides")
    def at_a_position(voices, test_voices):
        return list(range(4)), list(range(4, len(voices)))

    @wrong("the test holds the voices asked for")
    def exchanged(voices, test_voices):
        return [i for i, v in enumerate(voices) if v in test_voices], [
            i for i, v in enumerate(voices) if v not in test_voices
        ]

    @wrong("the test holds the voices asked for")
    def part_of_a_name(voices, test_voices):
        test = [i for i, v in enumerate(voices) if any(name in v for name in test_voices)]
        return [i for i in range(len(voices)) if i not in test], test

    @wrong("an unknown voice is an error")
    def trusting(voices, test_voices):
        return [i for i, v in enumerate(voices) if v not in test_voices], [
            i for i, v in enumerate(voices) if v in test_voices
        ]

    @wrong("every recording is used once")
    def first_of_each(voices, test_voices):
        return [i for i, v in enumerate(voices) if v not in test_voices], sorted(
            voices.index(v) for v in test_voices
        )

    @wrong("it returns positions")
    def names(voices, test_voices):
        return [v for v in voices if v not in test_voices], [v for v in voices if v in test_voices]

    @wrong("positions are counted from 0")
    def from_one(voices, test_voices):
        return [i for i, v in enumerate(voices, 1) if v not in test_voices], [
            i for i, v in enumerate(voices, 1) if v in test_voices
        ]

    @wrong("an unknown voice is an error")
    def only_if_none_is_known(voices, test_voices):
        test = [i for i, v in enumerate(voices) if v in test_voices]
        if not test:
            raise ValueError
        return [i for i, v in enumerate(voices) if v not in test_voices], test

    @wrong("names are compared whole, positions rise")
    def by_name(voices, test_voices):
        if set(test_voices) - set(voices):
            raise ValueError
        order = sorted(range(len(voices)), key=lambda i: voices[i])
        return [i for i in order if voices[i] not in test_voices], [
            i for i, v in enumerate(voices) if v in test_voices
        ]

    @wrong("names are compared whole, positions rise")
    def in_a_text(voices, test_voices):
        if set(test_voices) - set(voices):
            raise ValueError
        text = " ".join(test_voices)
        return [i for i, v in enumerate(voices) if v not in text], [
            i for i, v in enumerate(voices) if v in text
        ]

    @wrong("an empty test is no error")
    def demands_a_test(voices, test_voices):
        if not test_voices or set(test_voices) - set(voices):
            raise ValueError
        return [i for i, v in enumerate(voices) if v not in test_voices], [
            i for i, v in enumerate(voices) if v in test_voices
        ]


class OneVocabulary(Exercise):
    "One vocabulary for two modalities"

    id = "data.one_vocabulary"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("S1-F1",)
    task = (
        "`text` (b, n) holds ids below `n_text`, `image` (b, h, w) codes below `n_image`. "
        "Return int64 (b, n + h * w): the "
        "text, then the "
        "codes row by row, with no id used by both and none left out between them. Text ids stay "
        "as they are. An id outside its range is a ValueError."
    )
    starter = """
def join(text, n_text, image, n_image): ...
"""
    hints = (
        "Both lists of ids begin at 0. Move one of them.",
        "The first image id comes right after the last text id.",
        "torch.cat([text, image.flatten(1) + n_text], 1), after comparing min and max with the "
        "ranges",
    )

    def reference(text, n_text, image, n_image):
        for name, ids, n in (("text", text, n_text), ("image", image, n_image)):
            if ids.min() < 0 or ids.max() >= n:
                raise ValueError(f"{name} has ids outside 0..{n - 1}")
        return torch.cat([text, image.flatten(1) + n_text], 1)

    def another(text, n_text, image, n_image):
        if (
            not ((0 <= text) & (text < n_text)).all()
            or not ((0 <= image) & (image < n_image)).all()
        ):
            raise ValueError("id out of range")
        table = torch.arange(n_text, n_text + n_image)
        return torch.stack(
            [torch.cat([row, table[codes.reshape(-1)]]) for row, codes in zip(text, image)]
        )

    def check(t, join):
        text, image = torch.tensor([[0, 4, 2], [1, 1, 3]]), t.randint(0, 7, (2, 2, 4))
        image[0, 0, 0], image[1, 1, 3] = 0, 6
        got = t.call(join, text, 5, image, 7)
        t.shape(
            "text and codes follow each other",
            got,
            (2, 11),
            given="text (2, 3), image (2, 2, 4)",
            because="flatten the grid from axis 1 on, join along axis 1",
        )
        t.true("ids are int64", got.dtype == torch.int64, got.dtype, torch.int64)
        t.equal(
            "text ids stay as they are",
            got[:, :3],
            text,
            given="n_text 5, n_image 7",
            because="only one of the two needs an offset",
        )
        t.true(
            "no id is used by both",
            got[:, 3:].min() >= 5,
            int(got[:, 3:].min()),
            "at least 5, the first id after the text's",
            given="n_text 5, n_image 7",
            because=(
                "the offset is the size of the text vocabulary; the largest id seen in one "
                "batch is not"
            ),
        )
        t.true(
            "the vocabulary has n_text + n_image ids and no hole",
            got[:, 3:].max() <= 11,
            int(got[:, 3:].max()),
            "at most 11",
            given="n_text 5, n_image 7, largest code 6",
            because="an offset larger than n_text leaves ids that nothing uses",
        )
        t.equal(
            "codes follow row by row",
            got[:, 3:],
            torch.tensor([[c + 5 for r in grid for c in r] for grid in image.tolist()]),
            given="image (2, 2, 4)",
            because="transposed grids read column by column",
        )
        short = t.call(join, torch.tensor([[0, 1]]), 9, torch.tensor([[[0, 2]]]), 3)
        t.equal(
            "the offset is n_text, whatever the text says",
            short,
            torch.tensor([[0, 1, 9, 11]]),
            given="text [0, 1] of a vocabulary of 9",
            because="text.max() + 1 is the vocabulary of one batch; the next batch has another",
        )
        for what, bad in (
            ("a code equal to n_image", (text, 5, image + 1, 7)),
            ("a negative text id", (text - 1, 5, image, 7)),
            ("a text id equal to n_text", (text + 1, 5, image, 7)),
            ("a negative code", (text, 5, image - 1, 7)),
            ("a code 3 where n_image is 3", (text, 5, torch.full((2, 1, 1), 3), 3)),
        ):
            refused = False
            try:
                join(*bad)
            except ValueError:
                refused = True
            t.true(
                "an id outside its range is an error",
                refused,
                "no ValueError",
                "ValueError",
                given=what,
                because="it would silently become an id of the other modality",
            )

    @wrong("no id is used by both")
    def no_offset(text, n_text, image, n_image):
        return torch.cat([text, image.flatten(1)], 1)

    @wrong("no id is used by both")
    def one_too_few(text, n_text, image, n_image):
        return torch.cat([text, image.flatten(1) + n_text - 1], 1)

    @wrong("text ids stay as they are")
    def other_moved(text, n_text, image, n_image):
        return torch.cat([text + n_image, image.flatten(1)], 1)

    @wrong("no hole")
    def wrong_size(text, n_text, image, n_image):
        return torch.cat([text, image.flatten(1) + n_image], 1)

    @wrong("the offset is n_text, whatever the text says")
    def offset_of_the_sample(text, n_text, image, n_image):
        for ids, n in ((text, n_text), (image, n_image)):
            if ids.min() < 0 or ids.max() >= n:
                raise ValueError
        return torch.cat([text, image.flatten(1) + text.max() + 1], 1)

    @wrong("codes follow row by row")
    def columns(text, n_text, image, n_image):
        return torch.cat([text, image.transpose(1, 2).flatten(1) + n_text], 1)

    @wrong("an id outside its range is an error")
    def unchecked(text, n_text, image, n_image):
        return torch.cat([text, image.flatten(1) + n_text], 1)

    @wrong("an id outside its range is an error")
    def half_checked(text, n_text, image, n_image):
        if image.max() >= n_image or text.max() >= n_text:
            raise ValueError
        return torch.cat([text, image.flatten(1) + n_text], 1)

    @wrong("text and codes follow each other")
    def stacked(text, n_text, image, n_image):
        return torch.cat([text.flatten(), image.flatten() + n_text])

    @wrong("ids are int64")
    def short_integers(text, n_text, image, n_image):
        for ids, n in ((text, n_text), (image, n_image)):
            if ids.min() < 0 or ids.max() >= n:
                raise ValueError
        return torch.cat([text, image.flatten(1) + n_text], 1).int()


class Fuse(Exercise):
    "Two sensors, one estimate"

    id = "data.fuse"
    difficulty, importance, minutes = 2, 3, 6
    covers = ("S0-Q1",)
    task = (
        "`readings` (k, n) come from k independent unbiased sensors with standard deviations "
        "`sigma` (k,). Return "
        "`(estimate, variance)`: "
        "the best unbiased linear mix, (n,), and its variance, a number."
    )
    starter = """
def fuse(readings, sigma): ...
"""
    hints = (
        "A sensor with twice the error deserves a quarter of the weight.",
        "Weights 1 / sigma**2, divided by their sum.",
        "The variance of the mix is 1 / (1 / sigma**2).sum()",
    )

    def reference(readings, sigma):
        precision = sigma**-2
        return precision @ readings / precision.sum(), (1 / precision.sum()).item()

    def another(readings, sigma):
        estimate, variance = (
            readings[0],
            sigma[0].item() ** 2,
        )  # one sensor after the other, as a Kalman filter does
        for x, s in zip(readings[1:], sigma[1:].tolist()):
            gain = variance / (variance + s * s)
            estimate, variance = estimate + gain * (x - estimate), (1 - gain) * variance
        return estimate, variance

    def check(t, fuse):
        readings, sigma = (
            torch.tensor([[0.0, 10.0, 4.0], [5.0, 0.0, 4.0]]),
            torch.tensor([2.0, 1.0]),
        )
        got = t.call(fuse, readings, sigma)
        t.true(
            "it returns an estimate and a variance",
            isinstance(got, (tuple, list)) and len(got) == 2,
            got,
            "a pair",
        )
        t.equal(
            "the better sensor weighs more",
            got[0],
            torch.tensor([4.0, 2.0, 4.0]),
            given="readings [[0, 10, 4], [5, 0, 4]], sigma [2, 1]",
            because=(
                "weights are 1/4 and 1, divided by their sum: the precision is 1 / "
                "sigma**2, not 1 / sigma"
            ),
        )
        t.equal(
            "the variance of two",
            got[1],
            0.8,
            given="sigma [2, 1]",
            because="1 / (1/4 + 1): smaller than that of either sensor",
        )
        got = t.call(fuse, torch.tensor([[1.0], [1.0], [4.0]]), torch.tensor([1.0, 1.0, 0.5]))
        t.equal(
            "three sensors",
            got[0],
            torch.tensor([3.0]),
            given="readings 1, 1, 4, sigma [1, 1, .5]",
            because="weights 1, 1 and 4",
        )
        t.equal(
            "the variance of three",
            got[1],
            1 / 6,
            given="sigma [1, 1, .5]",
            because="precisions add up",
        )

    @wrong("the better sensor weighs more")
    def plain_mean(readings, sigma):
        return readings.mean(0), sigma.square().mean().item() / len(sigma)

    @wrong("the better sensor weighs more")
    def by_deviation(readings, sigma):
        w = 1 / sigma / (1 / sigma).sum()
        return w @ readings, (w.square() * sigma.square()).sum().item()

    @wrong("the better sensor weighs more")
    def worst_first(readings, sigma):
        w = sigma.square() / sigma.square().sum()
        return w @ readings, 1 / (sigma**-2).sum().item()

    @wrong("the variance of two")
    def deviation(readings, sigma):
        return sigma**-2 @ readings / (sigma**-2).sum(), (1 / (sigma**-2).sum()).sqrt().item()

    @wrong("three sensors")
    def only_two(readings, sigma):
        p = sigma[:2] ** -2
        return p @ readings[:2] / p.sum(), (1 / p.sum()).item()

    @wrong("the variance of two")
    def sum_of_variances(readings, sigma):
        return sigma**-2 @ readings / (sigma**-2).sum(), sigma.square().sum().item()


class BatchAxis(Exercise):
    "One image in, 28 answers out"

    id = "data.batch_axis"
    kind = "bug"
    difficulty, importance, minutes = 2, 4, 6
    covers = ("S3-B4.8",)
    task = (
        "`encode` flattens images and multiplies by `weight` (h * w, d). It should take a "
        "batch `(b, h, w)` or one image "
        "`(h, w)` and always "
        "return `(b, d)`, with b = 1 for one image. As it stands, one image with a `weight` of "
        "(w, d) gives a row per image row, and "
        "nothing complains. Repair it; any other number of axes, or images that do not fit "
        "`weight`, is a ValueError."
    )
    starter = """
def encode(images, weight):
    if images.ndim > 2:
        images = images.flatten(1)
    return images @ weight
"""
    bug = "one image is a batch of one"
    hints = (
        "What does `@` do with a matrix whose rows are not images?",
        "Give a single image a batch axis first, then flatten everything behind it.",
        "if images.ndim == 2: images = images[None]; then compare images[0].numel() with "
        "weight.shape[0]",
    )

    def reference(images, weight):
        if images.ndim == 2:
            images = images[None]
        if images.ndim != 3 or images[0].numel() != weight.shape[0]:
            raise ValueError(f"images {tuple(images.shape)}, weight {tuple(weight.shape)}")
        return images.flatten(1) @ weight

    def another(images, weight):
        if images.ndim not in (2, 3):
            raise ValueError("expected (h, w) or (b, h, w)")
        h, w = images.shape[-2:]
        if h * w != len(weight):
            raise ValueError("weight does not fit")
        return torch.einsum("bhw,hwd->bd", images.reshape(-1, h, w), weight.view(h, w, -1))

    def check(t, encode):
        images, weight = t.randn(3, 4, 5), t.randn(20, 2)
        want = torch.stack(
            [
                sum(images[b, i, j] * weight[i * 5 + j] for i in range(4) for j in range(5))
                for b in range(3)
            ]
        )
        got = t.call(encode, images, weight)
        t.shape(
            "one row per image of a batch",
            got,
            (3, 2),
            given="images (3, 4, 5), weight (20, 2)",
            because="flatten everything behind the batch axis",
        )
        t.equal(
            "a batch is encoded image by image",
            got,
            want,
            atol=1e-4,
            given="images (3, 4, 5), weight (20, 2)",
            because="pixels keep their order",
        )
        try:
            one = encode(images[0].clone(), weight)
        except Exception as e:
            one = f"{type(e).__name__}: {str(e)[:80]}"
        t.shape(
            "one image is a batch of one",
            one,
            (1, 2),
            given="image (4, 5), weight (20, 2)",
            because="without a batch axis the rows of the image are taken for images",
        )
        t.equal(
            "one image gives the row it has in a batch",
            one,
            want[:1],
            atol=1e-4,
            given="image (4, 5), weight (20, 2)",
        )
        for what, bad, w in (
            ("weight (5, 2) for an image (4, 5)", images[0], t.randn(5, 2)),
            ("a flat vector (20,)", images[0].flatten(), weight),
            ("(3, 1, 4, 5)", images[:, None], weight),
            ("an image (2, 3) for a weight (20, 2)", images[0, :2, :3], weight),
        ):
            refused = False
            try:
                encode(bad.clone(), w)
            except ValueError:
                refused = True
            except Exception:
                pass
            t.true(
                "what does not fit is a ValueError",
                refused,
                "no ValueError",
                "ValueError",
                given=what,
                because="a product that happens to have fitting sizes is no proof",
            )

    @wrong("one row per image of a batch")
    def whole_batch(images, weight):
        return images.flatten()[None, :20] @ weight

    @wrong("what does not fit is a ValueError")
    def unchecked(images, weight):
        return (images[None] if images.ndim == 2 else images).flatten(1) @ weight

    @wrong("one image is a batch of one")
    def no_axis(images, weight):
        if images.ndim not in (2, 3) or images.shape[-1] * images.shape[-2] != len(weight):
            raise ValueError
        return images.flatten(-2) @ weight

    @wrong("a batch is encoded image by image")
    def columns(images, weight):
        images = images[None] if images.ndim == 2 else images
        if images.ndim != 3 or images[0].numel() != len(weight):
            raise ValueError
        return images.transpose(1, 2).flatten(1) @ weight

    @wrong("what does not fit is a ValueError")
    def any_axes(images, weight):
        images = images[None] if images.ndim < 3 else images
        if images[0].numel() != len(weight):
            raise ValueError
        return images.flatten(1) @ weight


class Pairs(Exercise):
    "An array is no list of pairs"

    id = "data.pairs"
    kind = "bug"
    difficulty, importance, minutes = 2, 3, 6
    covers = ("S3-B4.2",)
    task = (
        "`batches` should yield `(x, y)` of `size` images `(b, h, w)` and their labels `(b,)`, "
        "in order, the last batch "
        "maybe shorter. It "
        "walks over the images as if they were pairs: with two rows per image it even runs. "
        "Repair it."
    )
    starter = """
def batches(images, labels, size):
    for x, y in images:
        yield x.float(), y
"""
    bug = "batches come as (b, h, w) and (b,)"
    hints = (
        "What does `for a in images` give, and what does `for x, y in ...` do to it?",
        "Cut both tensors at the same places.",
        "for i in range(0, len(images), size): yield images[i:i + size], labels[i:i + size]",
    )

    def reference(images, labels, size):
        for i in range(0, len(images), size):
            yield images[i : i + size], labels[i : i + size]

    def another(images, labels, size):
        yield from torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(images, labels), batch_size=size
        )

    def check(t, batches):
        images, labels = t.randn(7, 2, 3), torch.tensor([5, 0, 4, 1, 9, 2, 8])
        try:
            got = [tuple(b) for b in batches(images, labels, 3)]
        except ValueError as e:
            got = []
            t.refuse(
                "batches come as (b, h, w) and (b,)",
                f"ValueError: {e}",
                "pairs of tensors",
                "7 images (2, 3), size 3",
                "a tensor is walked along its first axis",
            )
        t.true(
            "there are as many batches as needed",
            len(got) == 3 or got and got[0][0].ndim != 3,
            f"{len(got)} batches",
            "3: the last one is shorter",
            given="7 images, size 3",
            because="dropping the rest loses data; padding repeats it",
        )
        t.shape(
            "batches come as (b, h, w) and (b,)",
            got[0][0],
            (3, 2, 3),
            given="7 images (2, 3), size 3",
            because=(
                "walking along the first axis gives one image, and two names then split "
                "its two rows"
            ),
        )
        t.shape("batches come as (b, h, w) and (b,)", got[0][1], (3,), given="7 labels, size 3")
        t.equal(
            "every image comes once, in order",
            torch.cat([x for x, _ in got]),
            images,
            given="7 images, size 3",
        )
        t.equal(
            "labels stay with their images",
            torch.cat([y for _, y in got]),
            labels,
            given="7 labels, size 3",
            because="cut both at the same places",
        )
        t.true(
            "a size that divides leaves no empty batch",
            len([1 for _ in batches(images[:6], labels[:6], 3)]) == 2,
            "another number",
            "2 batches",
            given="6 images, size 3",
        )
        t.equal(
            "batches are as large as asked for",
            [len(x) for x, _ in batches(images, labels, 5)],
            [5, 2],
            given="7 images, size 5",
            because="equal parts are not parts of `size`: only the last one is shorter",
        )

    @wrong("there are as many batches as needed")
    def drops_the_rest(images, labels, size):
        for i in range(0, len(images) - size + 1, size):
            yield images[i : i + size], labels[i : i + size]

    @wrong("batches come as (b, h, w) and (b,)")
    def one_by_one(images, labels, size):
        yield from zip(images, labels)

    @wrong("labels stay with their images")
    def labels_from_the_start(images, labels, size):
        for i in range(0, len(images), size):
            yield images[i : i + size], labels[: len(images[i : i + size])]

    @wrong("leaves no empty batch")
    def one_too_many(images, labels, size):
        for i in range(0, len(images) + (len(images) % size == 0), size):
            yield images[i : i + size], labels[i : i + size]

    @wrong("every image comes once, in order")
    def shuffled(images, labels, size):
        order = torch.arange(len(images)).flip(0)
        for i in range(0, len(images), size):
            yield images[order[i : i + size]], labels[order[i : i + size]]

    @wrong("batches are as large as asked for")
    def equal_parts(images, labels, size):
        n = -(-len(images) // size)
        yield from zip(images.tensor_split(n), labels.tensor_split(n))


class Offline(Exercise):
    "A lesson that needs the network"

    id = "data.offline"
    kind = "bug"
    difficulty, importance, minutes = 3, 4, 8
    covers = ("S3-B4.1",)
    task = (
        "`load(path, fetch, download=False)` returns the bytes of the file `path`. `fetch()` "
        "returns them from the network. "
        "Repair it: call `fetch` only if the "
        "file is missing **and** `download` is true; a missing file without it is a "
        "FileNotFoundError whose text contains "
        "`download=True`; and if "
        "`fetch` fails, its error goes on and no file is left under `path`."
    )
    starter = """
def load(path, fetch, download=False):
    path = Path(path)
    with open(path, "wb") as f:
        f.write(fetch())
    return path.read_bytes()
"""
    bug = "a file that is there is read without the network"
    hints = (
        "First decide whether the network is needed at all.",
        "open(path, 'wb') makes an empty file before fetch has answered.",
        "Fetch first, write to path.with_suffix('.part'), then os.replace it, so that a half "
        "file never has the final name.",
    )

    def reference(path, fetch, download=False):
        path = Path(path)
        if not path.exists():
            if not download:
                raise FileNotFoundError(f"{path} is missing; put it there, or pass download=True")
            part = path.with_name(path.name + ".part")
            part.write_bytes(fetch())
            part.replace(path)
        return path.read_bytes()

    def another(path, fetch, download=False):
        import os
        import tempfile

        path = Path(path)
        if path.is_file():
            return path.read_bytes()
        if not download:
            raise FileNotFoundError(f"{path}: not here; call with download=True")
        raw = fetch()
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as f:
            f.write(raw)
        os.replace(f.name, path)
        return raw

    def check(t, load):
        import tempfile

        calls = []

        def fetch():
            calls.append(1)
            return b"fresh"

        def broken():
            raise error

        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder) / "here.bin"
            here.write_bytes(b"kept")
            for download in (False, True):
                try:
                    got = load(str(here) if download else here, fetch, download)
                except Exception as e:
                    got = f"{type(e).__name__}: {e}"
                t.true(
                    "a file that is there is read without the network",
                    got == b"kept"
                    and not calls
                    and here.is_file()
                    and here.read_bytes() == b"kept",
                    f"{got}, {len(calls)} fetches",
                    "b'kept' and no fetch",
                    given=f"the file exists, download={download}",
                    because=(
                        "a lesson that fetches on every run fails offline, and overwrites "
                        "what was there"
                    ),
                )
            here.write_bytes(b"")
            got = t.call(load, here, fetch, True)
            t.true(
                "an empty file is there too",
                got == b"" and not calls,
                f"{got}, {len(calls)} fetches",
                "b'' and no fetch",
                given="the file exists and is empty",
            )
            try:
                text = f"no error, {load(Path(folder) / 'none.bin', fetch)}"
            except FileNotFoundError as e:
                text = str(e)
            t.true(
                "a missing file names the way out",
                "download=True" in text and not calls,
                text,
                "FileNotFoundError that names download=True, and no fetch",
                given="the file is missing",
                because="nothing goes over the network unless asked",
            )
            t.true(
                "a refusal leaves no file",
                not (Path(folder) / "none.bin").exists(),
                "a file",
                "no file",
                given="the file is missing",
            )
            new = Path(folder) / "new.bin"
            got = t.call(load, new, fetch, True)
            t.true(
                "asked to, it fetches once and keeps the file",
                got == b"fresh"
                and len(calls) == 1
                and new.is_file()
                and new.read_bytes() == b"fresh",
                f"{got}, {len(calls)} fetches, file {'there' if new.exists() else 'missing'}",
                "b'fresh', 1 fetch, the file",
                given="the file is missing, download=True",
            )
            for error in (ConnectionError("no network"), RuntimeError("no answer")):
                half, failed = Path(folder) / "half.bin", False
                try:
                    load(half, broken, True)
                except type(error):
                    failed = True
                t.true(
                    "a failed download is loud",
                    failed,
                    f"no {type(error).__name__}",
                    "the error of fetch",
                    given="fetch raises",
                    because="an error that is swallowed turns up later as bad data",
                )
                t.true(
                    "a failed download leaves no file",
                    not half.exists(),
                    "a file",
                    "no file",
                    given=f"fetch raises {type(error).__name__}",
                    because="the next run would take the empty file for the data",
                )

    @wrong("a failed download leaves no file")
    def opens_first(path, fetch, download=False):
        path = Path(path)
        if not path.exists():
            if not download:
                raise FileNotFoundError("pass download=True")
            with open(path, "wb") as f:
                f.write(fetch())
        return path.read_bytes()

    @wrong("a missing file names the way out")
    def fetches_unasked(path, fetch, download=False):
        path = Path(path)
        if not path.exists():
            path.write_bytes(fetch())
        return path.read_bytes()

    @wrong("a missing file names the way out")
    def no_help(path, fetch, download=False):
        path = Path(path)
        if not path.exists() and download:
            path.write_bytes(fetch())
        return path.read_bytes()

    @wrong("a failed download is loud")
    def swallows(path, fetch, download=False):
        path = Path(path)
        if path.exists():
            return path.read_bytes()
        if not download:
            raise FileNotFoundError("pass download=True")
        try:
            path.write_bytes(fetch())
        except ConnectionError:
            return b""
        return path.read_bytes()

    @wrong("fetches once and keeps the file")
    def forgets(path, fetch, download=False):
        path = Path(path)
        if path.exists():
            return path.read_bytes()
        if not download:
            raise FileNotFoundError("pass download=True")
        return fetch()

    @wrong("a file that is there is read without the network")
    def always_fresh(path, fetch, download=False):
        path = Path(path)
        if download:
            path.write_bytes(fetch())
        if not path.exists():
            raise FileNotFoundError("pass download=True")
        return path.read_bytes()

    @wrong("an empty file is there too")
    def refills(path, fetch, download=False):
        path = Path(path)
        if not path.exists() or not path.read_bytes():
            if not download:
                raise FileNotFoundError("pass download=True")
            raw = fetch()
            path.write_bytes(raw)
        return path.read_bytes()

    @wrong("a refusal leaves no file")
    def leaves_a_trace(path, fetch, download=False):
        path = Path(path)
        if not path.exists():
            if not download:
                path.touch()
                raise FileNotFoundError("pass download=True")
            raw = fetch()
            path.write_bytes(raw)
        return path.read_bytes()

    @wrong("a failed download leaves no file")
    def expects_one_error(path, fetch, download=False):
        path = Path(path)
        if not path.exists():
            if not download:
                raise FileNotFoundError("pass download=True")
            path.touch()
            try:
                path.write_bytes(fetch())
            except ConnectionError:
                path.unlink()
                raise
        return path.read_bytes()

    @wrong("read without the network")
    def removes_it(path, fetch, download=False):
        path = Path(path)
        if not path.exists():
            if not download:
                raise FileNotFoundError("pass download=True")
            raw = fetch()
            path.write_bytes(raw)
        raw = path.read_bytes()
        path.unlink()
        return raw
