"""Time and extra memory of `EMAVectorQuantizer` against `VectorQuantize` of
vector-quantize-pytorch: see `--help`.

Both get the same vectors and the same codebook and make one training step: search,
straight-through, commitment loss, EMA update of the codebook, backward. First the two must
agree: indices, gradient, codebook after the update. Then steps are timed in turn, ours, peer,
bare matrix product, ours, ...; on a CPU as CPU seconds of the process, on a GPU as wall time
between synchronisations. Extra memory is the growth of the process over what held the inputs
(CPU, in a fresh process) or of the allocator's peak (GPU).
"""

import argparse
import ctypes
import datetime
import multiprocessing
import os
import statistics
from pathlib import Path

import torch
from common import RESULTS, keep, machine, seconds

from mmgen.quantizer import EMAVectorQuantizer, nearest_code

QUICK = [(8192, 64, 512), (8192, 64, 1024), (8192, 64, 4096), (8192, 256, 1024)]
FULL = [
    (n, d, k)
    for n in (8192, 32768)
    for d in (64, 256)
    for k in (512, 1024, 4096, 16384)
    if (n, d, k) != (32768, 256, 16384)
]
FULL += [(65536, 64, 512), (65536, 64, 1024), (65536, 64, 16384)]
PEER_LIMIT = (
    2**29
)  # largest n * k that the peer is given: its distances are then 2 GiB, a step takes half a minute


def build(who, d, codebook):
    "One of the two quantizers on `codebook` (k, d), in training mode, without start and restarts."
    if who == "ours":
        q = (
            EMAVectorQuantizer(len(codebook), d, start=None, restart_below=0)
            .to(codebook.device)
            .train()
        )
        q.begin(codebook, torch.ones(len(codebook), device=codebook.device))
        return q
    from vector_quantize_pytorch import VectorQuantize

    q = (
        VectorQuantize(
            dim=d,
            codebook_size=len(codebook),
            decay=0.99,
            commitment_weight=0.25,
            rotation_trick=False,
            threshold_ema_dead_code=0,
        )
        .to(codebook.device)
        .train()
    )
    book = q._codebook
    book.embed.data.copy_(codebook[None])
    book.embed_avg.data.copy_(codebook[None])
    book.cluster_size.data.fill_(1.0)
    return q


def step(who, q, z, grad):
    "One training step; indices and gradient at z."
    z = z.detach().requires_grad_()
    out = q(z)
    z_q, indices, loss = (
        (out.z_q, out.indices, out.losses["commit"])
        if who == "ours"
        else (out[0], out[1], out[2].sum())
    )
    torch.autograd.backward([z_q, loss], [grad, None])
    return indices, z.grad


def inputs(n, d, k, device):
    "Vectors (1, n, d), a codebook (k, d) and a gradient like the vectors."
    g = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=g).to(device) for shape in ((1, n, d), (k, d), (1, n, d))]


def agree(n, d, k, device):
    """Share of equal indices (others must be ties to 1e-5), largest differences of gradient and
    codebook.
    """
    z, codebook, grad = inputs(n, d, k, device)
    ours, peer = build("ours", d, codebook), build("peer", d, codebook)
    (i, g), (j, h) = step("ours", ours, z, grad), step("peer", peer, z, grad)
    gap = (z - codebook[i]).square().sum(-1) - (z - codebook[j]).square().sum(-1)
    assert gap.abs().max() < 1e-3, f"not the nearest code: {gap.abs().max()}"
    untied = torch.isin(
        torch.arange(k, device=device), torch.cat([i[i != j], j[i != j]]), invert=True
    )
    book = (ours.codebook - peer._codebook.embed[0]).abs()[untied]
    assert book.max() < 1e-4 and (g - h)[i == j].abs().max() < 1e-5, (
        f"codebook {book.max()}, gradient {(g - h).abs().max()}"
    )
    return (i == j).float().mean().item()


def product(z, codebook, rows=1024):
    "The bare matrix product of the search, in pieces, into a buffer that is reused."
    turned, buffer = codebook.T, z.new_empty(rows, len(codebook))
    for piece in z[0].split(rows):
        torch.mm(piece, turned, out=buffer[: len(piece)])


def times(n, d, k, device, repeats, peer):
    "Median seconds of each, steps taken in turn after one warm-up."
    z, codebook, grad = inputs(n, d, k, device)
    work = {
        "ours": (lambda q=build("ours", d, codebook): step("ours", q, z, grad)),
        "search": lambda: nearest_code(z, codebook),
        "product": lambda: product(z, codebook),
    }
    if peer:
        work["peer"] = lambda q=build("peer", d, codebook): step("peer", q, z, grad)
    taken = {name: [] for name in work}
    for turn in range(repeats + 1):
        for name, call in work.items():
            s = seconds(call, device)
            if turn:
                taken[name].append(s)
    return {name: statistics.median(v) for name, v in taken.items()}


def resident(peak=False):
    "MiB of memory that this process holds, or the most it held since the peak was forgotten."
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:" if peak else "VmRSS:")[1].split()[0]) / 1024


def extra_memory(who, n, d, k, device):
    "MiB that one step needs beyond its inputs; None where the system does not tell."
    z, codebook, grad = inputs(n, d, k, device)
    q = build(who, d, codebook)
    step(who, q, z[:, :64], grad[:, :64])  # load libraries first
    if device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        base = torch.cuda.memory_allocated()
        step(who, q, z, grad)
        return (torch.cuda.max_memory_allocated() - base) / 2**20
    if not os.path.exists("/proc/self/clear_refs"):
        return None
    ctypes.CDLL(None).malloc_trim(0)  # give freed memory back, so that using it again counts
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    base = resident()
    step(who, q, z, grad)
    return resident(peak=True) - base


def measure(n, d, k, device, repeats):
    "All figures of one setting."
    peer = n * k <= PEER_LIMIT
    row = dict(n=n, d=d, k=k, equal=agree(n, d, k, device) if peer else None) | times(
        n, d, k, device, repeats, peer
    )
    for who in ("ours", "peer")[: 1 + peer]:
        if device == "cpu":  # a fresh process, so that the peak is its own
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                row[f"{who}_mib"] = pool.apply(extra_memory, (who, n, d, k, device))
        else:
            row[f"{who}_mib"] = extra_memory(who, n, d, k, device)
    return row


def table(run):
    "Markdown of one device's rows."
    head = (
        "| n | d | k | ours ms | peer ms | ours / peer | ours / product | search / product | "
        "ours MiB | peer MiB | ratio "
        "| equal indices |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n"
    )

    def line(r):
        peer = {"ms": "-", "time": "-", "mib": "-", "memory": "-", "equal": "-"}

        def mib(x):
            return "-" if x is None else f"{x:.0f}"

        if "peer" in r:
            share = f"{r['ours_mib'] / r['peer_mib']:.3f}" if r["peer_mib"] else "-"
            peer = {
                "ms": f"{r['peer'] * 1e3:.1f}",
                "time": f"{r['ours'] / r['peer']:.3f}",
                "mib": mib(r["peer_mib"]),
                "memory": share,
                "equal": f"{r['equal']:.6f}",
            }
        cells = [
            f"{r['n']:,}",
            r["d"],
            f"{r['k']:,}",
            f"{r['ours'] * 1e3:.1f}",
            peer["ms"],
            peer["time"],
            f"{r['ours'] / r['product']:.2f}",
            f"{r['search'] / r['product']:.2f}",
            mib(r["ours_mib"]),
            peer["mib"],
            peer["memory"],
            peer["equal"],
        ]
        return "| " + " | ".join(map(str, cells)) + " |\n"

    rows = "".join(map(line, run["rows"]))
    what = (
        f"{run['date']}, {run['machine']}; median of {run['repeats']} steps each, taken in "
        f"turn{run['note']}."
    )
    return f"{what}\n\n{head}{rows}"


def write(device, run):
    "Put this device's run into results/quantizer.json and render results/quantizer.md."
    runs = keep("quantizer", device, run)
    body = "\n".join(f"## {name}\n\n{table(r)}" for name, r in sorted(runs.items()))
    (RESULTS / "quantizer.md").write_text(
        "# Quantizer: one training step against vector-quantize-pytorch\n\n"
        "Written by `benchmarks/quantizer.py`; its first lines say what is measured.\n\n" + body
    )


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--quick", action="store_true", help="four small settings")
    ap.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    ap.add_argument("--repeats", type=int, default=5, help="timed steps of each")
    ap.add_argument(
        "--note", default="", help="a remark for the table's first line, such as what else ran"
    )
    a = ap.parse_args()
    if a.repeats < 5:
        ap.error("--repeats must be at least 5")
    rows = []
    for n, d, k in QUICK if a.quick else FULL:
        rows.append(measure(n, d, k, a.device, a.repeats))
        print(rows[-1], flush=True)
        run = dict(
            date=f"{datetime.date.today()}",
            machine=machine(a.device, "vector-quantize-pytorch"),
            repeats=a.repeats,
            note=a.note and f"; {a.note}",
            rows=rows,
        )
        write(a.device, run)  # after each, so that an interrupted run keeps what it has


if __name__ == "__main__":
    main()
