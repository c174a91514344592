"""Checks of arguments: the value comes back, or the error has name, what was given, expectation."""

import doctest
import math

import pytest
import torch

from mmgen import checks
from mmgen.checks import floats, free_to_look, has_values, known, number, shaped, whole


def test_examples():
    found = doctest.testmod(checks, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert found.attempted >= 5 and not found.failed


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "2", None, math.nan])
def test_whole_refuses(value):
    with pytest.raises(ValueError, match=r"depth=.*expected a whole number of at least 1"):
        whole("depth", value)


def test_values_come_back():
    x = torch.zeros(2, 3)
    assert whole("n", 0, least=0) == 0 and number("p", 0, 0, 1) == 0
    assert known("kind", None, ("a", None)) is None
    assert floats("x", x) is x and shaped("x", x, "b", 3) is x


@pytest.mark.parametrize(
    "value,ends,fine",
    [(0, "[]", True), (0, "(]", False), (1, "[)", False), (1, "(]", True), (1.0001, "[]", False)],
)
def test_number_at_its_ends(value, ends, fine):
    if fine:
        assert number("p", value, 0, 1, ends) == value
    else:
        with pytest.raises(ValueError) as e:
            number("p", value, 0, 1, ends)
        assert str(e.value).endswith(f"in {ends[0]}0, 1{ends[1]}")


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", True, None])
def test_number_refuses(value):
    with pytest.raises(ValueError, match=r"expected a finite number in \(-inf, inf\)"):
        number("p", value)


def test_known_without_a_near_one():
    with pytest.raises(ValueError, match=r"^mode='zz'; expected one of 'modern', 'original'$"):
        known("mode", "zz", ("modern", "original"))


def test_tensors():
    with pytest.raises(TypeError, match="x is a list; expected a tensor of floats"):
        floats("x", [1.0])
    with pytest.raises(TypeError, match="x is torch.int64; expected floats"):
        floats("x", torch.arange(3))
    with pytest.raises(TypeError, match="x is a list; expected a tensor"):
        shaped("x", [1.0], 1)


def test_when_values_may_be_read():
    assert free_to_look(torch.zeros(1)) and not free_to_look(torch.zeros(0))
    assert not has_values(torch.zeros(1, device="meta"))
    looked = []

    @torch.compile(backend="eager")
    def compiled(x):
        looked.append(free_to_look(x))
        return x + 1

    compiled(torch.zeros(1))
    assert looked == [False]
