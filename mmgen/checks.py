"""What is asked of an argument, in one place for the whole library.

A check returns the value that it was given, or raises TypeError (wrong kind) or ValueError (wrong
size) with a text of three parts: the argument's name, what was given, what is expected.

>>> whole("depth", 4)
4
>>> whole("depth", 0)
Traceback (most recent call last):
ValueError: depth=0; expected a whole number of at least 1
>>> known("predict", "epsilon", ("eps", "x0", "v"))
Traceback (most recent call last):
ValueError: predict='epsilon'; expected one of 'eps', 'x0', 'v'; did you mean 'eps'?
"""

import difflib
import math

import torch


def known(name: str, value, choices):
    "`value` if it is one of `choices`; else a ValueError that lists them, the nearest one last."
    choices = list(choices)
    if value in choices:
        return value
    near = difflib.get_close_matches(str(value), [str(c) for c in choices], 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name}={value!r}; expected one of {', '.join(map(repr, choices))}{hint}")


def whole(name: str, value, least: int = 1) -> int:
    "`value` if it is a whole number of at least `least`; True and False are none."
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise ValueError(f"{name}={value!r}; expected a whole number of at least {least}")


def number(name: str, value, low: float = -math.inf, high: float = math.inf, ends: str = "[]"):
    """`value` if it is a finite number from `low` to `high`; `ends` says which of the two belongs:
    "[]" both, "(]", "[)", "()".
    """
    real = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    above = real and (value > low or (value == low and ends[0] == "["))
    below = real and (value < high or (value == high and ends[1] == "]"))
    if above and below:
        return value
    low_end = "(" if math.isinf(low) else ends[0]
    high_end = ")" if math.isinf(high) else ends[1]
    between = f"{low_end}{low:g}, {high:g}{high_end}"
    raise ValueError(f"{name}={value!r}; expected a finite number in {between}")


def floats(name: str, x) -> torch.Tensor:
    "`x` if it is a tensor of floats, of any width; TypeError says what it is."
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{name} is a {type(x).__name__}; expected a tensor of floats")
    if not x.is_floating_point():
        raise TypeError(f"{name} is {x.dtype}; expected floats")
    return x


def shaped(name: str, x, *shape) -> torch.Tensor:
    """`x` if its shape fits: a number asks for that size, a letter or a word takes any.

    >>> shaped("t", torch.zeros(3), 4)
    Traceback (most recent call last):
    ValueError: t has shape (3,); expected (4,)
    >>> shaped("x_t", torch.zeros(3, 28, 28), "b", 1, "h", "w")
    Traceback (most recent call last):
    ValueError: x_t has shape (3, 28, 28); expected (b, 1, h, w)
    """
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{name} is a {type(x).__name__}; expected a tensor")
    fits = x.ndim == len(shape) and all(
        isinstance(want, str) or size == want for size, want in zip(x.shape, shape)
    )
    if fits:
        return x
    wanted = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    raise ValueError(f"{name} has shape {tuple(x.shape)}; expected {wanted}")


def has_values(x: torch.Tensor) -> bool:
    """Whether `x` holds numbers to look at: not while compiled or exported, not on the meta device,
    not a fake tensor.
    """
    return (
        not torch.compiler.is_compiling()
        and x.device.type != "meta"
        and type(x) in (torch.Tensor, torch.nn.Parameter)
    )


def free_to_look(x: torch.Tensor) -> bool:
    "Whether the values of `x` can be read without making a GPU wait: it holds some, on the CPU."
    return has_values(x) and x.device.type == "cpu" and x.numel() > 0


def as_labels(labels, device=None) -> torch.Tensor:
    "`labels`, a tensor, an array or a list of numbers, as a tensor; TypeError for anything else."
    try:
        return torch.as_tensor(labels, device=device)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"labels is {labels!r:.60}; expected whole numbers, (n,)") from None
