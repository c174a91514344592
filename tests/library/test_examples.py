"""The example that opens a module's docstring runs and prints what it says."""

import doctest
import importlib

import pytest

MODULES = ("codebooks", "quantizer")


@pytest.mark.parametrize("name", MODULES)
def test_the_example_of_the_docstring_runs(name):
    found = doctest.testmod(importlib.import_module(f"mmgen.{name}"))
    assert found.attempted and not found.failed
