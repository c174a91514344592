"""Small trainings that tests run in processes of their own; imports no pytest, so that those start
fast.
"""

import hashlib
import itertools
import math
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from mmgen.checkpoints import FolderLock, load_checkpoint, save_checkpoint
from mmgen.training import Batches, Recipe, fit

RECIPE = Recipe(steps=24, lr=1e-2, warmup=3, ema=0.9, weight_decay=0.1)


class Counter(nn.Module):
    "A buffer that every forward pass changes, as the statistics of a quantizer do."

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x):
        if self.training:
            self.seen += x.detach().mean(0)
        return x


class Deadly(torch.utils.data.Dataset):
    "Kills the process that asks for element 50."

    def __len__(self):
        return 100

    def __getitem__(self, i):
        if i == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.zeros(1)


def loader_that_dies():
    "A loader one of whose processes is killed; that must be an error, which ends this process."
    for _, _ in zip(range(40), Batches(Deadly(), 5, num_workers=1)):
        pass


def shaken(batch):
    "The batch with a number from each of three generators added."
    return batch + np.random.rand() + random.random() + torch.rand(())


def data():
    g = torch.Generator().manual_seed(1)
    return torch.randn(30, 6, generator=g), torch.randn(30, 2, generator=g)


def model():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 4), Counter(), nn.ReLU(), nn.Dropout(0.3), nn.Linear(4, 2))


def loss_fn(m, batch):
    loss = F.mse_loss(m(batch[0]), batch[1])
    return loss, {"twice": 2 * loss.detach()}


def batches(**kw):
    return Batches(
        data(), 8, seed=5, transform=lambda b: (b[0] + 0.1 * torch.randn_like(b[0]), b[1]), **kw
    )


def states(folder=None, recipe=RECIPE, save_every=5, **kw):
    return fit(
        kw.pop("model", None) or model(),
        kw.pop("loss_fn", loss_fn),
        kw.pop("batches", None) or batches(),
        recipe,
        folder=folder,
        save_every=save_every,
        device=kw.pop("device", "cpu"),
        progress=False,
        **kw,
    )


def digest(*modules):
    "sha256 of all weights and buffers."
    h = hashlib.sha256()
    for m in modules:
        for t in m.state_dict().values():
            h.update(t.detach().cpu().contiguous().numpy().tobytes())
    return h.hexdigest()


def train_to(folder, out, stop=None):
    "Train into `folder` and write the digest of the end; at step `stop` die without a word."
    for s in states(folder):
        if s.step == stop:
            os.kill(os.getpid(), signal.SIGKILL)
    Path(out).write_text(
        f"{digest(s.model, s.ema)} {len(s.history)} {sum(h['loss'] for h in s.history)!r}"
    )


def save_for_ever(folder, size):
    "Save checkpoint after checkpoint, each of one number all over."
    with FolderLock(folder):
        try:
            first = load_checkpoint(folder)["step"] + 1
        except FileNotFoundError:
            first = 1
        for s in itertools.count(first):
            save_checkpoint(
                folder, s, {"model": {"w": torch.full((size,), float(s))}, "step_again": s}
            )


def slow_training(folder, started):
    "Ten thousand steps of a hundredth of a second; the file `started` appears after the third."

    def slow(m, batch):
        time.sleep(0.01)
        return loss_fn(m, batch)

    for s in states(folder, Recipe(steps=10_000), save_every=9_000, loss_fn=slow):
        if s.step == 3:
            Path(started).touch()


def slow_observer(folder, started):
    "The same, but the time is spent between the steps."
    for s in states(folder, Recipe(steps=10_000), save_every=9_000):
        if s.step == 3:
            Path(started).touch()
        time.sleep(0.01)


def second_run(folder, out):
    "Try to train in a folder that is in use; write what happened."
    try:
        next(states(folder))
        said = "it ran"
    except RuntimeError as e:
        said = str(e)
    Path(out).write_text(said)


def still_net():
    "A network without random numbers, so that one process and two must agree."
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))


def share(folder, batch_size):
    """What each of several processes does: train without chance, train with dropout, stop and go
    on; the ends are written to FOLDER/RANK.pt.
    """
    still = [
        s for s in states(None, model=still_net(), batches=Batches(data(), batch_size, seed=5))
    ][-1]
    whole = list(states(f"{folder}/whole"))[-1]
    for s in states(f"{folder}/cut"):
        if s.step == 13:
            break
    again = list(states(f"{folder}/cut"))[-1]
    torch.save(
        {
            "still": still.model.state_dict(),
            "losses": [h["loss"] for h in still.history],
            "whole": digest(whole.model, whole.ema),
            "again": digest(again.model, again.ema),
        },
        f"{folder}/{os.environ['RANK']}.pt",
    )


if (
    __name__ == "__main__"
):  # a new interpreter: python train_jobs.py FOLDER OUT [STOP], or, one of several, FOLDER
    if "WORLD_SIZE" in os.environ:
        share(sys.argv[1], 8)
    else:
        train_to(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else math.nan)
