"""Fixtures that several tests of the library share; a file's own of the same name goes before."""

import pytest
import torch
from library_fixtures import gen

from mmgen.data import DigitImages
from mmgen.features import digit_net


@pytest.fixture(scope="module")
def digits():
    "The test set, shuffled: its first half was written by other people than the second."
    x, y = DigitImages("test").tensors()
    order = torch.randperm(len(x), generator=gen())
    return x[order], y[order]


@pytest.fixture(scope="module")
def judge():
    return digit_net("judge")
