"Every module's opening example runs as it is printed."

import doctest
import importlib

import pytest

MODULES = ("attention", "transformer")


@pytest.mark.parametrize("name", MODULES)
def test_the_example_at_the_top_of_a_module_runs(name):
    module = importlib.import_module(f"mmgen.{name}")
    result = doctest.testmod(module)
    assert result.attempted and not result.failed
