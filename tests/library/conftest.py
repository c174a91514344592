"""Fixtures that several tests of the library share; a file's own of the same name goes before."""

import socket

import numpy as np
import pytest
import torch
from library_fixtures import gen, write_wav

from mmgen.core import data_path
from mmgen.data import SPLITS, DigitImages
from mmgen.features import digit_net
from mmgen.sound import FSDD_SPEAKERS
from mmgen.vqvae import VQVAE


@pytest.fixture(scope="module")
def digits():
    "The test set, shuffled: its first half was written by other people than the second."
    x, y = DigitImages("test").tensors()
    order = torch.randperm(len(x), generator=gen())
    return x[order], y[order]


@pytest.fixture(scope="module")
def judge():
    return digit_net("judge")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    "A stand-in for the real folder: every speaker says every digit twice."
    folder = tmp_path_factory.mktemp("root") / "fsdd-recordings"
    folder.mkdir()
    speakers = [s for group in FSDD_SPEAKERS.values() for s in group]
    for i, speaker in enumerate(speakers):
        for digit in range(10):
            for k in (0, 10):
                write_wav(
                    folder / f"{digit}_{speaker}_{k}.wav",
                    np.full(500 + 20 * digit + k, 100 * i + digit + 1, "<i2"),
                )
    (folder / "notes.txt").write_text("not a recording")
    return folder


@pytest.fixture
def no_network(monkeypatch):
    "A try to reach the network is an error, and no folder of recordings is named."

    def refuse(*a, **k):
        raise AssertionError("a test or a loader went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("MMGEN_DATA", raising=False)


@pytest.fixture(scope="module")
def splits():
    "The images of all three splits, by name."
    return {s: DigitImages(s) for s in SPLITS}


@pytest.fixture(scope="module")
def vqvae():
    "The shipped tokenizer of digits."
    return VQVAE.from_pretrained(data_path("weights", "vqvae_mnist")).eval()


@pytest.fixture(scope="module")
def few():
    "The first 200 test images and their labels."
    return tuple(t[:200] for t in DigitImages("test").tensors())
