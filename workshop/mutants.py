"""Small mistakes made on purpose: `mutants(exercise)` changes the source of a reference at one
place at a time.

The operators stand in `workshop/operators.py` (what a machine would change) and in
`workshop/habits.py` (what learners do). Mutants that cannot work by construction (a name that is
never bound) are not made, and none is made twice.
"""

import ast
import inspect
import linecache
import textwrap
import threading
from dataclasses import dataclass

from .habits import HABITS
from .operators import OPERATORS, keyword, number_of, swap


@dataclass(frozen=True)
class Mutant:
    """One mistake: of which solution of which exercise, on which line, what it changes, and the
    source with it.
    """

    exercise: str
    solution: str
    line: str
    change: str  # "operator: before -> after", with " #2" where that stands twice on the line
    source: str = ""
    value: object = None  # of an answer: the wrong value itself

    @property
    def key(self):
        "What names it in the list of equivalent mutants."
        return self.exercise, self.solution, self.line, self.change


def _stored(node):
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _binds(node, bound):
    """Does the rest of the function need this statement for a name or an attribute that nothing
    else gives?
    """
    targets = node.targets if isinstance(node, ast.Assign) else []
    fresh_attribute = any(isinstance(t, ast.Attribute) for t in targets) and "__init__" in bound
    own = _stored(node.target) if isinstance(node, ast.For) else set()
    inner = {n.name for n in ast.walk(node) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    return fresh_attribute or not (_stored(node) | inner) - own <= bound


def _places(holder, bound, first):
    """(holder, field, position or None, node) of every node, in the order of the source; each node
    learns its parent.
    """
    for field, value in ast.iter_fields(holder):
        if field in ("annotation", "returns", "decorator_list") or isinstance(
            holder, (ast.JoinedStr, ast.ImportFrom)
        ):
            continue
        for i, node in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(node, ast.AST):
                continue
            node.parent, node.first = holder, first
            if isinstance(node, ast.stmt):
                node.binds = _binds(node, bound)
            if not (number_of(node) is not None and number_of(holder) is not None):
                yield holder, field, i, node
            names, head = bound, first
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                arguments = [a.arg for a in node.args.args]
                names, head = (
                    {*bound, *arguments, getattr(node, "name", "")},
                    next((a for a in arguments if a != "self"), first),
                )
                if isinstance(node, ast.FunctionDef):
                    bound.add(node.name)
            yield from _places(node, names, head)
            if isinstance(node, ast.stmt):
                bound |= _stored(node)


def _put(holder, field, i, new):
    "Set a node's place, a list of statements in a statement's place."
    if i is None:
        setattr(holder, field, new)
    elif isinstance(new, list):
        getattr(holder, field)[i : i + 1] = new
    else:
        getattr(holder, field)[i] = new


def _brief(node):
    text = ast.unparse(node) if not isinstance(node, list) else "\n".join(map(ast.unparse, node))
    return textwrap.shorten(text, 90, placeholder=" ...")


def _told(operator, node, new):
    "'operator: before -> after'; of an exchange or a dropped keyword only what is concerned."
    if hasattr(new, "told"):
        return f"{operator.__name__}: {new.told}"
    if operator is swap:
        field = "elts" if isinstance(node, ast.Tuple) else "args"
        pair = [a for a, b in zip(getattr(node, field), getattr(new, field)) if a is not b]
        return f"swap: {_brief(pair[0])} and {_brief(pair[1])}"
    if operator is keyword:
        gone = next(k for k in node.keywords if k not in new.keywords)
        return f"keyword: {gone.arg}={_brief(gone.value)} of {_brief(node.func)} dropped"
    return f"{operator.__name__}: {_brief(node)} -> {_brief(new)}"


def changes(source):
    """(line, 'operator: before -> after', the whole source so changed) for every mistake that the
    operators make in `source`.
    """
    tree, lines = ast.parse(source), source.splitlines()
    seen, names, out = {ast.unparse(tree)}, {}, []
    for holder, field, i, node in list(_places(tree, set(), "")):
        for operator in (*OPERATORS, *HABITS):
            for new in list(operator(node)):
                before = getattr(holder, field) if i is None else list(getattr(holder, field))
                _put(holder, field, i, new)
                text = ast.unparse(ast.fix_missing_locations(tree))
                if i is None:
                    setattr(holder, field, before)
                else:
                    getattr(holder, field)[:] = before
                if text in seen:
                    continue
                seen.add(text)
                line = lines[
                    getattr(node, "lineno", holder.lineno if hasattr(holder, "lineno") else 1) - 1
                ].strip()
                change = _told(operator, node, new)
                n = names[line, change] = names.get((line, change), 0) + 1
                out.append((line, change if n == 1 else f"{change} #{n}", text))
    return out


def nearby(value):
    """(change, value) for wrong values near a right answer: its neighbours, its double, its sign,
    its parts so changed or exchanged.
    """
    if isinstance(value, (tuple, list)):
        for i, item in enumerate(value):
            for change, new in nearby(item):
                yield f"item {i}, {change}", type(value)([*value[:i], new, *value[i + 1 :]])
        for i in range(len(value) - 1):
            turned = type(value)([*value[:i], *value[i : i + 2][::-1], *value[i + 2 :]])
            if turned != value:
                yield f"items {i}, {i + 1} exchanged", turned
        if len(value):
            yield "last item dropped", value[:-1]
    elif isinstance(value, bool):
        yield "not", not value
    elif isinstance(value, (int, float)):
        new = {
            "+ 1": value + 1,
            "- 1": value - 1,
            "* 2": value * 2,
            "* 1.1": value * 1.1,
            "minus": -value,
        }
        yield from ((k, v) for k, v in new.items() if v != value)


def mutants(exercise, every=False):
    """All mutants of the reference of an Exercise class, of its other right solutions too where
    `every`, always in the same order.
    """
    out = []
    for name in exercise.variants()[0]:
        if name != "reference" and not every:
            continue
        if exercise.kind == "answer":
            value = exercise.variants()[0][name]
            out += [
                Mutant(exercise.id, name, "", f"answer: {change}", value=new)
                for change, new in nearby(value)
            ]
        else:
            source = textwrap.dedent(inspect.getsource(vars(exercise)[name]))
            out += [Mutant(exercise.id, name, *change) for change in changes(source)]
    return out


def build(exercise, mutant):
    "The object that stands for the mutant before the checker."
    if not mutant.source:
        return mutant.value
    file, scope = f"<mutant of {mutant.exercise}>", dict(vars(inspect.getmodule(exercise)))
    linecache.cache[file] = len(mutant.source), None, mutant.source.splitlines(True), file
    exec(compile(mutant.source, file, "exec"), scope)
    return scope[mutant.solution]


# CPython 3.11 keeps one depth for all threads that parse, and stops where it is off (getsource
# parses too)
_PARSING = threading.Lock()


def unchanged(exercise, solution="reference"):
    """The solution itself, built from its source as mutants are: it must pass, or nothing can be
    said of its mutants.
    """
    if exercise.kind == "answer":
        return Mutant(exercise.id, solution, "", "", value=exercise.variants()[0][solution])
    with _PARSING:
        source = ast.unparse(
            ast.parse(textwrap.dedent(inspect.getsource(vars(exercise)[solution])))
        )
    return Mutant(exercise.id, solution, "", "", source)
