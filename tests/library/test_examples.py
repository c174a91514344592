"""The examples in the modules' docstrings run."""

import doctest
import importlib

import pytest

MODULES = ("guidance", "samplers")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(f"mmgen.{name}")
    names = {"noise_path": importlib.import_module("mmgen.diffusion").noise_path}
    found = doctest.testmod(module, extraglobs=names)
    assert found.attempted and not found.failed
