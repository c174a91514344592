"""Fixtures that several tests of the library share; a file's own of the same name goes before."""

import numpy as np
import pytest
import torch
from library_fixtures import gen, write_wav

from mmgen.data import DigitImages
from mmgen.features import digit_net
from mmgen.sound import FSDD_SPEAKERS


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
