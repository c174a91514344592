"""Arithmetic as text: `evaluate("h * h * log2(K)", {"h": 7, "K": 512})`. The text is read by `ast`
against a whitelist, never run.
"""

import ast
import math
import operator

__all__ = ["FormulaError", "FUNCTIONS", "CONSTANTS", "evaluate", "names"]
FUNCTIONS = {
    f: getattr(math, f)
    for f in ("log", "log2", "log10", "exp", "sqrt", "cos", "sin", "erf", "ceil", "floor")
}


def _rounded(value, digits=0):
    if not -30 <= digits <= 30:
        raise FormulaError(f"round to {digits:g} digits; expected -30 to 30")
    return round(value, digits) if digits else round(value)


FUNCTIONS |= {"min": min, "max": max, "abs": abs, "round": _rounded}
CONSTANTS = {"pi": math.pi, "e": math.e}
_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}
_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_LENGTH, _BITS = 200, 1024  # characters of a formula; size of the largest power


class FormulaError(ValueError):
    "A text that is not arithmetic, or has no finite real value."


def _tree(text):
    if not isinstance(text, str) or not text.strip():
        raise FormulaError("is empty; expected arithmetic")
    if len(text) > _LENGTH:
        raise FormulaError(f"has {len(text)} characters; expected {_LENGTH} at most")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise FormulaError(f"{text.strip()!r} is not arithmetic") from None


def names(text) -> set:
    "The free names of a formula: neither functions nor pi and e."
    tree = _tree(text)
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called} - set(
        CONSTANTS
    )


def _power(base, exponent):
    if base and exponent * math.log2(abs(base)) > _BITS:
        raise FormulaError(f"the power {base:g} ** {exponent:g} is too large")
    return base**exponent


def _value(node, known):
    "Value of one node of the tree; whatever is not listed here is refused."
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.Name):
        if node.id in known:
            return known[node.id]
        raise FormulaError(f"{node.id!r} has no value; known: {', '.join(sorted(known))}")
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_value(node.operand, known))
    if isinstance(node, ast.BinOp):
        pair = _value(node.left, known), _value(node.right, known)
        if isinstance(node.op, ast.Pow):
            return _power(*pair)
        if type(node.op) in _BINARY:
            return _BINARY[type(node.op)](*pair)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in FUNCTIONS:
            raise FormulaError(f"{node.func.id!r} is not a function; known: {', '.join(FUNCTIONS)}")
        return FUNCTIONS[node.func.id](*[_value(a, known) for a in node.args])
    raise FormulaError(
        f"{ast.unparse(node)!r} is not allowed; expected numbers, names, + - * / ** // % and "
        "functions"
    )


def evaluate(text, known=None) -> float:
    """The value of `text` with the names of `known` (name -> number), pi and e; FormulaError if it
    is not a finite real number.
    """
    try:
        value = _value(_tree(text), CONSTANTS | dict(known or {}))
    except ZeroDivisionError:
        raise FormulaError(f"{text.strip()!r} divides by zero") from None
    except OverflowError:
        raise FormulaError(f"{text.strip()!r} is too large") from None
    except FormulaError:
        raise
    except (ValueError, TypeError):
        raise FormulaError(f"{text.strip()!r} has no value") from None
    if isinstance(value, complex):
        raise FormulaError(f"{text.strip()!r} is not a real number")
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        finite = False
    if not finite:
        raise FormulaError(f"{text.strip()!r} is too large")
    return value
