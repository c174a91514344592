"""The example at the top of each module runs and gives what it says."""

import doctest
import importlib

import pytest

MODULES = ("batches", "optimizers", "runs", "training")


@pytest.mark.parametrize("name", MODULES)
def test_the_example_of_a_module_runs(name):
    module = importlib.import_module(f"mmgen.{name}")
    result = doctest.testmod(module)
    assert result.attempted and not result.failed
