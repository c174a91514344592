"The example in a module's docstring runs and gives what it says."

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["vqgan", "published.vqgan"])
def test_example_of_a_module(name):
    module = importlib.import_module(f"mmgen.{name}")
    tests = [t for t in doctest.DocTestFinder().find(module) if t.name == module.__name__]
    assert tests and tests[0].examples
    assert doctest.DocTestRunner().run(tests[0]).failed == 0
