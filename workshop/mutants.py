"""Small mistakes made on purpose: `mutants(exercise)` changes the source of a reference at one
place at a time.

Each operator is a function of one node of the syntax tree; it yields what could stand there
instead. An operator's docstring shows an example. Mutants that cannot work by construction (a
name that is never bound) are not made, and none is made twice.
"""

import ast
import copy
import inspect
import linecache
import textwrap
import threading
from dataclasses import dataclass

MODULES = {"torch", "F", "math", "np", "nn"}
SWAPS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
PAIRS = (
    "mean sum, max min, amax amin, argmax argmin, maximum minimum, floor ceil, sin cos, zeros "
    "ones, zeros_like ones_like, any all, "
    "cumsum cumprod, exp expm1, log log1p, square abs, triu tril, randn rand, randn_like "
    "rand_like, sqrt square, train eval, "
    "softmax log_softmax"
)
TWINS = {}
for _pair in PAIRS.split(", "):
    for _one, _other in (_pair.split(), _pair.split()[::-1]):
        TWINS.setdefault(_one, []).append(_other)
BUILTINS = {
    "max",
    "min",
    "any",
    "all",
}  # twins that may stand without a module or an object before them
WRAPPERS = set(
    "softmax log_softmax sigmoid tanh relu gelu silu leaky_relu sqrt rsqrt square abs exp log "
    "log2 log10 log1p detach clone "
    "float double long int clamp clip permute transpose flatten unflatten mean norm normalize "
    "unsqueeze squeeze expand repeat "
    "repeat_interleave cumsum cumprod flip roll sort argsort floor ceil round sorted reversed "
    "set dropout softplus logsigmoid "
    "t erf sin cos bool swapaxes movedim nan_to_num diff cummax triu tril hardtanh tan "
    "no_grad".split()
)
REDUCTIONS = set(
    (
        "mean sum amax amin argmax argmin max min norm var std all any prod flatten logsumexp "
        "median unique"
    ).split()
)
SYMMETRIC = set(
    "mse_loss l1_loss cdist maximum minimum max min dot allclose equal isclose gcd lcm sum "
    "hypot add mul zip "
    "logaddexp broadcast_tensors transpose swapaxes cosine_similarity".split()
)


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


def _with(node, **fields):
    new = copy.copy(node)
    for k, v in fields.items():
        setattr(new, k, v)
    return new


def _number(node):
    "The value of a number as it is written, its minus included; None for all else."
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _number(node.operand)
        return None if value is None else -value
    return (
        node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None
    )


def _called(node):
    "Name of the function or method that a call calls, else ''."
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _of_module(func):
    "Is it a function of a module (`F.relu`, `torch.linalg.norm`), not a method?"
    while isinstance(func, ast.Attribute):
        func = func.value
    return isinstance(func, ast.Name) and func.id in MODULES


def arithmetic(node):
    "a + b -> a - b; a * b -> a / b; a ** b -> a * b"
    if not isinstance(node, (ast.BinOp, ast.AugAssign)):
        return
    by_one = (
        isinstance(node.op, (ast.Mult, ast.Div))
        and abs(_number(getattr(node, "right", None)) or 0) == 1
    )
    for op in SWAPS.get(type(node.op), ()) if not by_one else ():
        yield _with(node, op=op())


def term(node):
    "a + b -> a; a + b -> b"
    if not isinstance(node, ast.BinOp) or isinstance(node.op, ast.MatMult):
        return
    yield node.left
    if not isinstance(node.op, ast.Pow):
        yield node.right


def comparison(node):
    "a < b -> a <= b; a < b -> a >= b; a == b -> a != b"
    if not isinstance(node, ast.Compare):
        return
    for i, old in enumerate(node.ops):
        for op in COMPARISONS.get(type(old), ()):
            yield _with(node, ops=[*node.ops[:i], op(), *node.ops[i + 1 :]])


def logic(node):
    "a and b -> a or b; a and b -> a; not a -> a"
    if isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for i in range(len(node.values)):
            rest = node.values[:i] + node.values[i + 1 :]
            yield _with(node, values=rest) if len(rest) > 1 else rest[0]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
        yield node.operand


def sign(node):
    "-a -> a; 2 * a -> -2 * a"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and _number(node) is None:
        yield node.operand
    if _number(node) and isinstance(node.parent, (ast.BinOp, ast.Compare, ast.Return, ast.IfExp)):
        yield ast.Constant(-_number(node))


def number(node):
    "1 -> 2; 1 -> 0; 0.25 -> 0.275; 0.25 -> 0.0; 1e-08 -> 1e-05"
    value = _number(node)
    if value is None:
        return
    if isinstance(value, int):
        new = [value + 1, value - 1]
    elif value == 0:
        new = [1.0]
    else:
        new = [float(f"{value * (1.1 if abs(value) >= 1e-3 else 1000):.6g}"), 0.0]
    for v in new:
        yield ast.Constant(v)


def boolean(node):
    "True -> False"
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield ast.Constant(not node.value)


def twin(node):
    "x.mean(1) -> x.sum(1); math.floor(a) -> math.ceil(a)"
    for other in TWINS.get(_called(node), ()):
        if isinstance(node.func, ast.Attribute):
            yield _with(node, func=_with(node.func, attr=other))
        elif other in BUILTINS:
            yield _with(node, func=_with(node.func, id=other))


def unwrap(node):
    "x.detach() -> x; torch.sqrt(x) -> x; x.T -> x"
    if (
        isinstance(node, ast.Attribute)
        and node.attr in ("T", "mT")
        and not isinstance(node.parent, ast.Call)
    ):
        yield node.value
    if _called(node) not in WRAPPERS:
        return
    if isinstance(node.func, ast.Attribute) and not _of_module(node.func):
        yield node.func.value
    elif node.args and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]


def keyword(node):
    "f(x, dim=1) -> f(x)"
    if isinstance(node, ast.Call):
        for k in node.keywords:
            if k.arg:
                yield _with(node, keywords=[o for o in node.keywords if o is not k])


def argument(node):
    "x.mean(1) -> x.mean()"
    if (
        _called(node) in REDUCTIONS
        and isinstance(node.func, ast.Attribute)
        and len(node.args) > _of_module(node.func)
    ):
        yield _with(node, args=node.args[:-1])


def swap(node):
    "f(a, b) -> f(b, a); return a, b -> return b, a"
    field = (
        "elts" if isinstance(node, ast.Tuple) and isinstance(node.parent, ast.Return) else "args"
    )
    if field == "args" and (not isinstance(node, ast.Call) or _called(node) in SYMMETRIC):
        return
    items = getattr(node, field)
    for i, (a, b) in enumerate(zip(items, items[1:])):
        alike = (
            type(a) is type(b)
            and not isinstance(a, (ast.Starred, ast.Lambda))
            and ast.dump(a) != ast.dump(b)
        )
        if alike:
            yield _with(node, **{field: [*items[:i], b, a, *items[i + 2 :]]})


def removed(node):
    """x += 1 -> pass; optimizer.zero_grad() -> pass; x = x.relu() -> pass, where x has a value
    already
    """
    if isinstance(node, ast.Expr):
        call = isinstance(node.value, ast.Call) and "super()" not in ast.unparse(node)
        if call:
            yield ast.Pass()
    elif isinstance(node, (ast.AugAssign, ast.Break, ast.Continue)):
        yield ast.Pass()
    elif isinstance(node, (ast.Assign, ast.For, ast.While, ast.If)) and not node.binds:
        yield ast.Pass()


def branch(node):
    "a if c else b -> a; if c: ... -> if True: ...; [x for x in y if c] -> [x for x in y]"
    if isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    if isinstance(node, ast.If):
        yield _with(node, test=ast.Constant(True))
    if isinstance(node, ast.If) and (node.orelse or node.binds):
        yield _with(node, test=ast.Constant(False))
    if isinstance(node, ast.comprehension) and node.ifs:
        yield _with(node, ifs=node.ifs[1:])


def block(node):
    "with torch.no_grad(): ... -> its body; a decorator dropped"
    if isinstance(node, ast.With) and not any(item.optional_vars for item in node.items):
        yield node.body
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        for d in node.decorator_list:
            if ast.unparse(d) not in ("staticmethod", "classmethod", "property"):
                yield _with(node, decorator_list=[o for o in node.decorator_list if o is not d])


def part(node):
    "x[1:] -> x[:]; x[:n] -> x[:n + 1]; x[i] -> x[i - 1]"
    if isinstance(node, ast.Slice):
        for bound in ("lower", "upper", "step"):
            value = getattr(node, bound)
            if value is not None and (bound != "lower" or _number(value) != 0):
                yield _with(node, **{bound: None})
            if value is not None and _number(value) is None:
                yield _with(node, **{bound: ast.BinOp(value, ast.Add(), ast.Constant(1))})
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Name)
        and isinstance(node.ctx, ast.Load)
    ):
        yield _with(node, slice=ast.BinOp(node.slice, ast.Sub(), ast.Constant(1)))


def loop(node):
    "range(n) -> range(n - 1); range(a, n) -> range(a + 1, n)"
    if _called(node) != "range":
        return
    for i, a in enumerate(node.args[:2]):
        last = i == 1 or len(node.args) == 1
        if _number(a) is None:
            new = ast.BinOp(a, ast.Sub() if last else ast.Add(), ast.Constant(1))
            yield _with(node, args=[*node.args[:i], new, *node.args[i + 1 :]])


def given(node):
    "return f(x) -> return x, where x is the first argument"
    if isinstance(node, ast.Return) and node.value is not None and node.first:
        yield _with(node, value=ast.Name(node.first, ast.Load()))


OPERATORS = (
    arithmetic,
    term,
    comparison,
    logic,
    sign,
    number,
    boolean,
    twin,
    unwrap,
    keyword,
    argument,
    swap,
    removed,
    branch,
    block,
    part,
    loop,
    given,
)


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
            if not (_number(node) is not None and _number(holder) is not None):
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
        for operator in OPERATORS:
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
    if exercise.kind == "answer":
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
