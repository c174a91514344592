"""What an inattentive machine would change in a line: a sign, a bound, an axis, a call left out.

Each operator is a function of one node of the syntax tree; it yields what could stand there
instead. An operator's docstring shows an example. `workshop/mutants.py` applies them, and those of
`workshop/habits.py` with them.
"""

import ast
import copy

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


def altered(node, **fields):
    "A copy of the node with these fields."
    new = copy.copy(node)
    for k, v in fields.items():
        setattr(new, k, v)
    return new


def number_of(node):
    "The value of a number as it is written, its minus included; None for all else."
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = number_of(node.operand)
        return None if value is None else -value
    return (
        node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None
    )


def called(node):
    "Name of the function or method that a call calls, else ''."
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def of_module(func):
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
        and abs(number_of(getattr(node, "right", None)) or 0) == 1
    )
    for op in SWAPS.get(type(node.op), ()) if not by_one else ():
        yield altered(node, op=op())


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
            yield altered(node, ops=[*node.ops[:i], op(), *node.ops[i + 1 :]])


def logic(node):
    "a and b -> a or b; a and b -> a; not a -> a"
    if isinstance(node, ast.BoolOp):
        yield altered(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for i in range(len(node.values)):
            rest = node.values[:i] + node.values[i + 1 :]
            yield altered(node, values=rest) if len(rest) > 1 else rest[0]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
        yield node.operand


def sign(node):
    "-a -> a; 2 * a -> -2 * a"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and number_of(node) is None:
        yield node.operand
    if number_of(node) and isinstance(node.parent, (ast.BinOp, ast.Compare, ast.Return, ast.IfExp)):
        yield ast.Constant(-number_of(node))


def number(node):
    "1 -> 2; 1 -> 0; 0.25 -> 0.275; 0.25 -> 0.0; 1e-08 -> 1e-05"
    value = number_of(node)
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
    for other in TWINS.get(called(node), ()):
        if isinstance(node.func, ast.Attribute):
            yield altered(node, func=altered(node.func, attr=other))
        elif other in BUILTINS:
            yield altered(node, func=altered(node.func, id=other))


def unwrap(node):
    "x.detach() -> x; torch.sqrt(x) -> x; x.T -> x"
    if (
        isinstance(node, ast.Attribute)
        and node.attr in ("T", "mT")
        and not isinstance(node.parent, ast.Call)
    ):
        yield node.value
    if called(node) not in WRAPPERS:
        return
    if isinstance(node.func, ast.Attribute) and not of_module(node.func):
        yield node.func.value
    elif node.args and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]


def keyword(node):
    "f(x, dim=1) -> f(x)"
    if isinstance(node, ast.Call):
        for k in node.keywords:
            if k.arg:
                yield altered(node, keywords=[o for o in node.keywords if o is not k])


def argument(node):
    "x.mean(1) -> x.mean()"
    if (
        called(node) in REDUCTIONS
        and isinstance(node.func, ast.Attribute)
        and len(node.args) > of_module(node.func)
    ):
        yield altered(node, args=node.args[:-1])


def swap(node):
    "f(a, b) -> f(b, a); return a, b -> return b, a"
    field = (
        "elts" if isinstance(node, ast.Tuple) and isinstance(node.parent, ast.Return) else "args"
    )
    if field == "args" and (not isinstance(node, ast.Call) or called(node) in SYMMETRIC):
        return
    items = getattr(node, field)
    for i, (a, b) in enumerate(zip(items, items[1:])):
        alike = (
            type(a) is type(b)
            and not isinstance(a, (ast.Starred, ast.Lambda))
            and ast.dump(a) != ast.dump(b)
        )
        if alike:
            yield altered(node, **{field: [*items[:i], b, a, *items[i + 2 :]]})


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
        yield altered(node, test=ast.Constant(True))
    if isinstance(node, ast.If) and (node.orelse or node.binds):
        yield altered(node, test=ast.Constant(False))
    if isinstance(node, ast.comprehension) and node.ifs:
        yield altered(node, ifs=node.ifs[1:])


def block(node):
    "with torch.no_grad(): ... -> its body; a decorator dropped"
    if isinstance(node, ast.With) and not any(item.optional_vars for item in node.items):
        yield node.body
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        for d in node.decorator_list:
            if ast.unparse(d) not in ("staticmethod", "classmethod", "property"):
                yield altered(node, decorator_list=[o for o in node.decorator_list if o is not d])


def part(node):
    "x[1:] -> x[:]; x[:n] -> x[:n + 1]; x[i] -> x[i - 1]"
    if isinstance(node, ast.Slice):
        for bound in ("lower", "upper", "step"):
            value = getattr(node, bound)
            if value is not None and (bound != "lower" or number_of(value) != 0):
                yield altered(node, **{bound: None})
            if value is not None and number_of(value) is None:
                yield altered(node, **{bound: ast.BinOp(value, ast.Add(), ast.Constant(1))})
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Name)
        and isinstance(node.ctx, ast.Load)
    ):
        yield altered(node, slice=ast.BinOp(node.slice, ast.Sub(), ast.Constant(1)))


def loop(node):
    "range(n) -> range(n - 1); range(a, n) -> range(a + 1, n)"
    if called(node) != "range":
        return
    for i, a in enumerate(node.args[:2]):
        last = i == 1 or len(node.args) == 1
        if number_of(a) is None:
            new = ast.BinOp(a, ast.Sub() if last else ast.Add(), ast.Constant(1))
            yield altered(node, args=[*node.args[:i], new, *node.args[i + 1 :]])


def given(node):
    "return f(x) -> return x, where x is the first argument"
    if isinstance(node, ast.Return) and node.value is not None and node.first:
        yield altered(node, value=ast.Name(node.first, ast.Load()))


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
