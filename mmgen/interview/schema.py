"""What an entry of the question bank must hold: `check_questions(entries, file)`; the form is
described in CONTRIBUTING.md.
"""

import functools
import itertools
import re
import string

from .arithmetic import CONSTANTS, FUNCTIONS, FormulaError, evaluate, names

__all__ = ["LEVELS", "LANGUAGES", "KINDS", "BankError", "check_questions", "problems"]
LEVELS = ("screening", "junior", "senior", "staff")
LANGUAGES = ("en", "zh")
KINDS = ("oral", "choice", "numeric")  # code questions are the exercises
_TAKEN = {*FUNCTIONS, *CONSTANTS, "value"}  # no drawn number is called so
_COMBINATIONS = 1000  # of drawn numbers, all of which are tried


class BankError(ValueError):
    "A broken entry of the bank; the text names the file, the entry and the field."


def _not_a(kind, value):
    return f"is a {type(value).__name__}; expected {kind}"


def _mapping(value, kind=str, empty=False):
    "What is wrong with a mapping {en, zh} of texts (or of lists), or None."
    if not isinstance(value, dict):
        return _not_a("a mapping of en and zh", value)
    for lang in LANGUAGES:
        v = value.get(lang)
        if v is None or not empty and v in ("", []):
            return f"has no text in {lang!r}"
        if not isinstance(v, kind):
            return f"in {lang!r} is a {type(v).__name__}; expected a {kind.__name__}"
        if kind is str and not empty and not v.strip():
            return f"has no text in {lang!r}"
    extra = sorted(map(str, set(value) - set(LANGUAGES)))
    return f"has {extra[0]!r}; expected en and zh only" if extra else None


def _texts(value, least=1):
    "What is wrong with two lists of texts, one per language, or None."
    if problem := _mapping(value, list):
        return problem
    sizes = {lang: len(value[lang]) for lang in LANGUAGES}
    if len(set(sizes.values())) > 1:
        return f"has {sizes['en']} entries in 'en' and {sizes['zh']} in 'zh'"
    for lang in LANGUAGES:
        if bad := [t for t in value[lang] if not isinstance(t, str) or not t.strip()]:
            return f"in {lang!r} has {bad[0]!r}; expected a text"
        if len(value[lang]) < least:
            return "expected two, of rising depth"
        if len(set(value[lang])) < len(value[lang]):
            return f"in {lang!r} says the same twice"


def _listed(value, empty=False):
    if not isinstance(value, list):
        return _not_a("a list", value)
    if not value and not empty:
        return "is empty"
    if bad := [t for t in value if not isinstance(t, str) or not t.strip()]:
        return f"has {bad[0]!r}; expected a text"


def _wrong(value):
    if not isinstance(value, list):
        return _not_a("a list", value)
    if len(value) < 3:
        return f"has {len(value)}; expected three or more"
    for i, option in enumerate(value, 1):
        if not isinstance(option, dict):
            return f"{i} {_not_a('a mapping of en, zh and why', option)}"
        rest = {k: v for k, v in option.items() if k != "why"}
        if problem := _mapping(rest):
            return f"{i} {problem}"
        if problem := _mapping(option.get("why")):
            return f"{i}: why: {problem}" if "why" in option else f"{i} has no why"


def _draw(value):
    if not isinstance(value, dict):
        return _not_a("a mapping of names to lists of numbers", value)
    for name, numbers in value.items():
        if not (isinstance(name, str) and name.isidentifier()) or name in _TAKEN:
            return f"{name!r} cannot be a name"
        if not isinstance(numbers, list) or not numbers:
            return f"{name} is not a list of numbers"
        if bad := [n for n in numbers if type(n) not in (int, float)]:
            return f"{name} has {bad[0]!r}; expected numbers"
        if len(set(numbers)) < len(numbers):
            return f"{name} has a number twice"


def _tolerance(value):
    return (
        None
        if type(value) in (int, float) and 0 <= value < 1
        else f"is {value!r}; expected a number from 0 to below 1"
    )


def _one_of(allowed):
    return lambda v: None if v in allowed else f"is {v!r}; expected one of {', '.join(allowed)}"


def _text(value):
    return (
        _not_a("a str", value)
        if not isinstance(value, str)
        else None
        if value.strip()
        else "is empty"
    )


def _id(v):
    return _text(v) or (
        None if re.fullmatch(r"\w+\.[\w.-]+", v) else f"is {v!r}; expected TOPIC.name"
    )


def _place(v):
    return _text(v) or (None if re.fullmatch(r"\w+#.+", v) else "expected NOTEBOOK#Heading")


_COMMON = dict(
    id=_id,
    covers=functools.partial(_listed, empty=True),
    level=_one_of(LEVELS),
    question=_mapping,
    answer=_mapping,
    shown_in=_place,
    sources=_listed,
)
_SPOKEN = dict(weak=_mapping, refuted=_mapping, follow_ups=functools.partial(_texts, least=2))
FIELDS = {
    "oral": {**_COMMON, "rubric": _texts, **_SPOKEN},
    "choice": {**_COMMON, "right": _mapping, "wrong": _wrong},
    "numeric": {
        **_COMMON,
        "draw": _draw,
        "value": _text,
        "unit": functools.partial(_mapping, empty=True),
        "tolerance": _tolerance,
    },
}
OPTIONAL = {"oral": {}, "choice": {"follow_ups": _SPOKEN["follow_ups"]}, "numeric": _SPOKEN}


def _form(q):
    "Problems of form, as (field, problem)."
    if q.get("kind", "oral") not in KINDS:
        yield "kind", _one_of(KINDS)(q["kind"])
        return
    wanted, optional = FIELDS[q.get("kind", "oral")], OPTIONAL[q.get("kind", "oral")]
    for field in wanted:
        if field not in q:
            yield field, "is missing"
    for field, value in q.items():
        if field == "kind":
            continue
        if field not in wanted and field not in optional:
            yield field, f"is not a field of a question of kind {q.get('kind', 'oral')!r}"
        elif problem := (wanted.get(field) or optional[field])(value):
            yield field, problem


def _options(q):
    "Problems of a choice: its options must differ in every language."
    for lang in LANGUAGES:
        seen = {q["right"][lang].strip().casefold(): "the right one"}
        for i, option in enumerate(q["wrong"], 1):
            same = seen.setdefault(option[lang].strip().casefold(), f"option {i}")
            if same != f"option {i}":
                yield "wrong", f"{i} in {lang!r} is the same as {same}"


def templates(q):
    "The texts of a numeric question that may use {names}, as (field, lang, text)."
    for field in ("question", "answer", "weak", "refuted", "follow_ups"):
        for lang in LANGUAGES:
            texts = q.get(field, {}).get(lang, "")
            for text in [texts] if isinstance(texts, str) else texts:
                yield field, lang, text


def _formula(q):
    """Problems of a numeric question: its formula has a value for every draw, and its texts name
    what was drawn.
    """
    draw = q["draw"]
    n = functools.reduce(lambda a, b: a * len(b), draw.values(), 1)
    if n > _COMBINATIONS:
        yield "draw", f"has {n} combinations; expected {_COMBINATIONS} at most"
        return
    try:
        free = names(q["value"])
        if unknown := sorted(free - set(draw)):
            yield "value", f"uses {unknown[0]!r}, which is not drawn"
            return
        if unused := sorted(set(draw) - free):
            yield "value", f"does not use {unused[0]!r}, which is drawn"
            return
        for numbers in itertools.product(*draw.values()):
            evaluate(q["value"], dict(zip(draw, numbers)))
    except FormulaError as e:
        yield "value", str(e)
        return
    for field, lang, text in templates(q):
        try:
            used = [
                name + (f":{spec}" if spec else "") + (f"!{conv}" if conv else "")
                for _, name, spec, conv in string.Formatter().parse(text)
                if name is not None
            ]
        except ValueError:
            yield (
                field,
                f"in {lang!r} has a single brace; write {{{{ and }}}} for braces of a formula",
            )
            return
        known = set(draw) | (set() if field == "question" else {"value"})
        wanted = ", ".join(f"{{{k}}}" for k in sorted(known)) or "no braces"
        for name in used:
            if name not in known:
                yield field, f"in {lang!r} has {{{name}}}; expected {wanted}"
        if field == "question" and (silent := sorted(set(draw) - set(used))):
            yield field, f"in {lang!r} does not say {{{silent[0]}}}, which is drawn"


def problems(q):
    "Everything that is wrong with one entry, as (field, problem), form first."
    found = list(_form(q))
    kind = q.get("kind", "oral")
    return found or list(
        _options(q) if kind == "choice" else _formula(q) if kind == "numeric" else ()
    )


def check_questions(entries, file):
    """Raise BankError at the first entry that breaks the form; return the entries, each with its
    kind.
    """
    if not isinstance(entries, list):
        raise BankError(f"{file}: {_not_a('a list of questions', entries)}")
    seen = set()
    for q in entries:
        if not isinstance(q, dict):
            raise BankError(f"{file}: {str(q)[:40]!r}: entry: {_not_a('a mapping', q)}")
        for field, problem in problems(q):
            raise BankError(f"{file}: {q.get('id', '(no id)')}: {field}: {problem}")
        if q["id"] in seen:
            raise BankError(f"{file}: {q['id']}: id: stands twice")
        seen.add(q["id"])
    return [{"kind": "oral", **q} for q in entries]
