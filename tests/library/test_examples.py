"""The examples in the docstrings of modules run and give what they show."""

import doctest
import importlib

import pytest

OPTIONS = doctest.IGNORE_EXCEPTION_DETAIL
MODULES = ("checks", "features", "metrics", "report")


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name):
    found = doctest.testmod(importlib.import_module(f"mmgen.{name}"), optionflags=OPTIONS)
    assert found.attempted and not found.failed
