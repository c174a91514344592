"""The helpers of the tour: seeds, devices, paths, and the check of images."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from mmgen.core import Stopwatch, check_images, data_path, eval_mode, get_device, seed_everything


def test_importing_the_package_imports_neither_torch_nor_matplotlib():
    code = (
        "import sys, mmgen; bad = {'torch', 'matplotlib', 'numpy'} & set(sys.modules); "
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_core_leaves_the_random_state_and_matplotlib_alone():
    code = (
        "import torch; torch.manual_seed(3); a = torch.get_rng_state(); import mmgen.core, sys; "
        "assert torch.equal(a, torch.get_rng_state()) and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_seed():
    seed_everything(5)
    a = torch.randn(4), np.random.rand(4)
    seed_everything(5)
    b = torch.randn(4), np.random.rand(4)
    assert torch.equal(a[0], b[0]) and (a[1] == b[1]).all()
    seed_everything(6)
    assert not torch.equal(a[0], torch.randn(4))


@pytest.mark.parametrize("name", ["gpu", "", "cud"])
def test_unknown_device(name):
    with pytest.raises(ValueError, match="expected 'auto', 'cpu'"):
        get_device(name)


def test_missing_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="not on this machine; here: .*cpu"):
        get_device("cuda:1")
    assert get_device("cpu") == torch.device("cpu")


def test_missing_data_names_the_fix():
    with pytest.raises(
        FileNotFoundError, match="weights/none is not among the embedded data.*git checkout"
    ):
        data_path("weights", "none")


@pytest.mark.parametrize(
    "x,words",
    [
        (np.zeros((1, 1, 2, 2)), "ndarray; expected a float tensor"),
        (torch.zeros(1, 4, 4), r"add a batch axis with x\[None\]"),
        (torch.zeros(2, 4), r"expected \(b, c, h, w\)"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.uint8), "x.float.* / 127.5 - 1"),
        (torch.zeros(2, 8, 8, 3), "use x.permute"),
        (torch.full((1, 1, 2, 2), 255.0), "from 255 to 255"),
        (torch.full((1, 1, 2, 2), float("nan")), "expected finite numbers"),
        (torch.zeros(0, 1, 2, 2), "holds no image"),
    ],
)
def test_bad_images_are_named(x, words):
    with pytest.raises((TypeError, ValueError), match=words):
        check_images(x)


def test_good_images_pass():
    for x in (
        torch.rand(1, 1, 5, 7) * 2 - 1,
        torch.rand(2, 3, 4, 4, dtype=torch.float64),
        (torch.rand(2, 3, 4, 4) * 2 - 1).bfloat16(),
    ):
        assert check_images(x) is x


def test_stopwatch():
    with Stopwatch() as s:
        sum(range(10**5))
    assert 0 < s.wall < 10 and s.cpu >= 0


def test_eval_mode_gives_each_part_its_own_mode_back():
    net = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Sequential(torch.nn.Dropout()).eval())
    before = [m.training for m in net.modules()]
    with pytest.raises(KeyError), eval_mode(net):
        assert not any(m.training for m in net.modules())
        raise KeyError
    assert [m.training for m in net.modules()] == before and True in before and False in before
    with eval_mode(print):
        pass  # what is no module passes
