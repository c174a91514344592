"""The example in the docstring of a module runs and shows what it says."""

import doctest
from importlib import import_module

import pytest

MODULES = ("checks", "dit", "published.dit")


@pytest.mark.parametrize("name", MODULES)
def test_example(name):
    done = doctest.testmod(import_module(f"mmgen.{name}"))
    assert done.attempted and not done.failed
