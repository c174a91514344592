"""Configs of models as they come from a file: nothing in them is taken on trust.

A config is a frozen dataclass. `as_dict` turns one into what JSON can hold; `config_from` is the
way back, which refuses fields that are unknown, of another type, not finite or larger than the
stored weights can need; `check_size` compares the model that a config describes with them before
any memory is taken.

```python
>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class Config:
...     dim: int = 8
...     shape: tuple = (1, 28, 28)
>>> config_from(Config, {"dim": 4, "shape": [1, 8, 8]})
Config(dim=4, shape=(1, 8, 8))
>>> config_from(Config, {"dim": "four"})
Traceback (most recent call last):
ValueError: dim is 'four'; expected int

```
"""

import io
import math
import warnings
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, is_dataclass
from typing import get_args, get_type_hints

import torch

SMALL = 1000  # whole numbers up to here are taken without a look at the weights


def as_dict(config) -> dict:
    "A config, dataclass or dict or None, as a dict."
    return asdict(config) if is_dataclass(config) else dict(config or {})


def config_from(kind, stored, shapes=None):
    """The dataclass `kind` from the JSON object `stored`: lists are tuples there, and objects are
    dataclasses, as the annotations say. `shapes`, name -> shape of the stored weights, bounds its
    whole numbers. ValueError names the first field that is wrong.
    """
    return _built(kind, stored, _bounds(shapes), "")


def _bounds(shapes):
    "The largest whole numbers that weights of these shapes can need."
    if shapes is None:
        return None
    return {"numbers": sum(map(math.prod, shapes.values())), "tensors": len(shapes)}


def _built(kind, stored, bounds, inside):
    if not isinstance(stored, dict):
        raise ValueError(f"{inside or 'the config'} is {_short(stored)}; expected an object")
    hints = get_type_hints(kind)
    values = {}
    for name, value in stored.items():
        called = f"{inside}{name}"
        if name not in hints:
            raise ValueError(f"{called} is no part of {kind.__name__}")
        parts = get_args(hints[name]) or (hints[name],)
        nested = next((part for part in parts if is_dataclass(part)), None)
        if nested and isinstance(value, dict):
            values[name] = _built(nested, value, bounds, f"{called}.")
            continue
        _check_field(called, value, parts, bounds)
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _check_field(name, value, parts, bounds):
    "ValueError unless `value` is of one of the types `parts` and its whole numbers are in bounds."
    if not any(_is_a(part, value) for part in parts):
        expected = " or ".join(getattr(part, "__name__", str(part)) for part in parts)
        raise ValueError(f"{name} is {_short(value)}; expected {expected}")
    if bounds is None:
        return
    values = value if isinstance(value, (list, tuple)) else [value]
    largest = max((abs(v) for v in values if type(v) is int), default=0)
    unit = "tensors" if name.endswith(("depth", "stages")) else "numbers"
    if largest > max(bounds[unit], SMALL):
        raise ValueError(
            f"{name} is {_short(value)}; the weights beside it have {bounds[unit]:,} {unit}"
        )


def _is_a(kind, value) -> bool:
    "Has a value from JSON this type? A tuple is a list there, and a whole number may be a float."
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is tuple:
        return isinstance(value, (list, tuple)) and all(type(v) in (int, float) for v in value)
    if kind in (int, bool, str, type(None)):
        return type(value) is kind
    return not is_dataclass(kind)  # of any other annotation the class itself has to judge


def _short(value) -> str:
    return f"{value!r:.60}"


def check_size(cls, config, shapes):
    """ValueError where a model `cls(config)` has far more numbers than weights of these shapes. It
    is built on the device `meta`, where tensors take no memory.
    """
    with suppress(NotImplementedError, RuntimeError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with redirect_stdout(io.StringIO()), torch.device("meta"):
            own = cls(config).state_dict()
        stored = sum(map(math.prod, shapes.values()))
        wanted = sum(tensor.numel() for tensor in own.values())
        if wanted > 2 * stored + SMALL:
            raise ValueError(f"its model has {wanted:,} numbers, and the weights have {stored:,}")
