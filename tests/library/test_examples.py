"""The example at the head of a module runs and gives what stands there."""

import doctest
import importlib

import pytest

MODULES = ("diffusion", "predictions", "chain", "likelihood")


@pytest.mark.parametrize("name", MODULES)
def test_example_runs(name):
    result = doctest.testmod(importlib.import_module(f"mmgen.{name}"))
    assert result.attempted and not result.failed
