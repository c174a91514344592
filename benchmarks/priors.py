"""Ways of sampling from the shipped priors, and what the cache of keys and values saves: `python
benchmarks/priors.py [--n 1000]`.

Each way draws n images, ten classes in turn, and is judged in the features of
`mmgen.metrics.digit_net` against n real images of the validation set, so that the test set is
left for the figures of the notebook; the floor is real against real of the same size. Times are
CPU-seconds of the process, the decoder's included. Prints Markdown.
"""

import argparse
import statistics
import time

import torch

from mmgen.core import data_path
from mmgen.data import DigitImages
from mmgen.features import digit_net, embed
from mmgen.masked import MaskedPrior
from mmgen.metrics import frechet_distance, precision_recall
from mmgen.priors import ARPrior, PriorConfig, draw_images, last_codes
from mmgen.vqvae import VQVAE

AR_WAYS = [
    *(dict(guidance_scale=s) for s in (1.0, 1.5, 2.0, 3.0)),
    *(dict(guidance_scale=s, temperature=0.9) for s in (1.0, 1.5, 2.0, 2.5, 3.0)),
    dict(guidance_scale=2.5, temperature=0.8),
    dict(guidance_scale=1.5, top_p=0.95),
    dict(guidance_scale=2.0, top_p=0.95),
    dict(guidance_scale=2.5, top_p=0.9),
    dict(guidance_scale=2.5, top_k=50),
]
BEST = dict(guidance_scale=1.5, noise=2.0, temperature=0.9)
MASKED_WAYS = [
    BEST,
    *(BEST | dict(guidance_scale=s) for s in (1.0, 2.0, 3.0)),
    *(BEST | dict(noise=n) for n in (0.0, 1.0, 4.5)),
    BEST | dict(temperature=1.0),
    BEST | dict(n_steps=4),
    BEST | dict(n_steps=8),
    BEST | dict(n_steps=20),
    BEST | dict(schedule="linear"),
    BEST | dict(order="halton"),
    BEST | dict(order="random"),
    dict(guidance_scale=1.5, noise=2.0, top_p=0.9),
    dict(guidance_scale=2.0, noise=1.0, top_p=0.9),
]


def judge(n):
    "A function of (images, labels) to its figures, and the floor."
    x, _ = DigitImages("valid").tensors()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    net = digit_net()
    real, other = embed(x[order[:n]], net), embed(x[order[n : 2 * n]], net)

    def figures(images, labels):
        f = embed(images, net)
        reach = precision_recall(real, f)
        hit = (embed(images, net.forward).argmax(1) == labels).float().mean().item()
        return hit, frechet_distance(f, real), reach["precision"], reach["recall"]

    return figures, frechet_distance(other, real)


def table(name, prior, ways, n, seed=0):
    "One line per way."
    vqvae, (figures, floor) = (
        VQVAE.from_pretrained(data_path("weights", "vqvae_mnist")).eval(),
        judge(n),
    )
    print(f"\n{name}, n = {n}, floor {floor:.4f}\n")
    print(
        "| way | recognised | Fréchet | x floor | precision | recall | CPU-ms per image "
        "|\n|---|---|---|---|---|---|---|"
    )
    for way in ways:
        labels, start = torch.arange(n) % 10, time.process_time()
        images, _ = draw_images(prior, vqvae, labels, seed, **way)
        ms = (time.process_time() - start) / n * 1000
        hit, fd, precision, recall = figures(images, labels)
        text = ", ".join(f"{k} {v}" for k, v in way.items()) or "as is"
        print(
            f"| {text} | {hit:.3f} | {fd:.3f} | {fd / floor:.1f} | {precision:.2f} | "
            f"{recall:.2f} | {ms:.0f} |",
            flush=True,
        )


def cache(repeats=3, batch=50):
    """Seconds for 49 codes of a batch with and without the cache, in turn, and their ratio; the
    codes must be equal.
    """
    prior, labels, times, codes = (
        ARPrior(PriorConfig()).eval(),
        torch.arange(batch) % 10,
        {True: [], False: []},
        {},
    )
    torch.nn.init.normal_(prior.net.head.weight, std=0.3)
    for _ in range(repeats):
        for cached in (True, False):
            start = time.process_time()
            codes[cached] = last_codes(
                prior.sample(labels, cache=cached, generator=torch.Generator().manual_seed(0))
            )
            times[cached].append(time.process_time() - start)
    assert torch.equal(codes[True], codes[False])
    with_, without = (statistics.median(times[k]) for k in (True, False))
    print(
        f"\n49 codes of {batch} images, {torch.get_num_threads()} threads: {without:.2f} "
        f"CPU-seconds without cache, {with_:.2f} with it: "
        f"{without / with_:.1f} times, equal codes"
    )


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--n", type=int, default=1000)
    ap.add_argument("--only", choices=("ar", "masked", "cache"))
    ap.add_argument(
        "--weights", help="folder that holds prior_ar and prior_masked; default: the shipped ones"
    )
    a = ap.parse_args()
    if a.only in (None, "cache"):
        cache()
    for kind, make, ways in (("ar", ARPrior, AR_WAYS), ("masked", MaskedPrior, MASKED_WAYS)):
        if a.only not in (None, kind):
            continue
        folder = f"{a.weights}/prior_{kind}" if a.weights else data_path("weights", f"prior_{kind}")
        table(f"{kind} prior", make.from_pretrained(folder).eval(), ways, a.n)


if __name__ == "__main__":
    main()
