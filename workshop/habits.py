"""What learners do to a line: another norm, another distribution, an argument that is not read, a
number that fits the first sample.

Each operator is a function of one node of the syntax tree; it yields what could stand there
instead, as in `workshop/operators.py`. An operator's docstring shows an example. Where the example
says `first(n)`, the value of the first call is kept for all later ones: a constant that fits the
sample at hand.
"""

import ast
import copy

from .operators import altered, called, number_of

# parameters that are numbers or words; the others are tensors, which nobody writes out
NUMBERS = set(
    "batch_size beta bytes_each c_out channels clip count d data_range days decay depth dim ema "
    "floor gamma guided heads hits k kind kv_heads layers limit lr n n_classes n_codes "
    "n_hidden n_image n_images n_in n_out n_steps n_text n_train p patience phi rho s scale "
    "seed share sigma_max sigma_min size stability steps strength temperature "
    "training wanted warmup width".split()
)
ACTIVATIONS = set("ReLU LeakyReLU SiLU GELU ELU Tanh Sigmoid Softplus Softmax".split())
DRAWS = set("randn rand randn_like rand_like randint randperm multinomial bernoulli normal".split())
LOSSES = set("mse_loss l1_loss cross_entropy binary_cross_entropy_with_logits".split())


class _Filled(ast.NodeTransformer):
    def __init__(self, parts):
        self.parts = parts

    def visit_Name(self, node):
        return copy.copy(self.parts.get(node.id, node))


def expression(text, **parts):
    "The expression `text` with nodes in place of names."
    return _Filled(parts).visit(ast.parse(text, mode="eval").body)


def _says(new, text):
    "The node with a short text for the list of mutants."
    new.told = text
    return new


def _plain(node):
    "Is it a call whose arguments can be read one by one?"
    return (
        isinstance(node, ast.Call)
        and not any(isinstance(a, ast.Starred) for a in node.args)
        and all(k.arg for k in node.keywords)
    )


def _inner(node):
    "What a call as `x.mean()` or `torch.mean(x)` works on, None where it names an axis."
    if not _plain(node) or node.keywords or not isinstance(node.func, ast.Attribute):
        return None
    if not node.args:
        return node.func.value
    named = isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"
    return node.args[0] if named and len(node.args) == 1 else None


def _squares(node):
    "Does a square stand in this expression?"
    return any(
        called(n) in ("square", "pow") or (isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow))
        for n in ast.walk(node)
    )


def _outermost(node):
    "Is the function no part of another, so that its arguments come from outside?"
    return isinstance(node, ast.FunctionDef) and not isinstance(node.parent, ast.FunctionDef)


def distance(node):
    "x ** 2 -> abs(x); torch.cdist(a, b) -> torch.cdist(a, b, p=1); F.mse_loss -> F.l1_loss"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and number_of(node.right) == 2:
        yield expression("abs(x)", x=node.left)
    if not _plain(node) or not isinstance(node.func, ast.Attribute):
        return
    if node.func.attr == "pow" and len(node.args) == 1 and number_of(node.args[0]) == 2:
        yield expression("x.abs()", x=node.func.value)
    if node.func.attr in ("cdist", "norm", "pairwise_distance") and not node.keywords:
        for p in ("1", "float('inf')"):
            value = expression(p)
            yield altered(node, keywords=[ast.keyword("p", value)])
    if node.func.attr in ("mse_loss", "l1_loss"):
        other = {"mse_loss": ("l1_loss", "smooth_l1_loss"), "l1_loss": ("mse_loss",)}
        for name in other[node.func.attr]:
            yield altered(node, func=altered(node.func, attr=name))


def root(node):
    "x.square().mean() -> x.square().mean().sqrt(), where no axis is named"
    inner = _inner(node) if called(node) in ("mean", "sum") else None
    if called(node) == "mse_loss" or (inner is not None and _squares(inner)):
        if getattr(node.parent, "attr", "") not in ("sqrt", "log10", "log"):
            yield expression("x.sqrt()", x=node)


def law(node):
    """torch.rand(n) -> torch.rand(n).square(), torch.randn(n).sigmoid(); torch.randn(n) -> uniform
    numbers of variance 1; torch.randperm(n) -> torch.arange(n)
    """
    name = called(node)
    if not isinstance(getattr(node, "func", None), ast.Attribute):
        return
    if name in ("rand", "rand_like"):
        yield expression("x.square()", x=node)
        normal = altered(node, func=altered(node.func, attr=name.replace("rand", "randn")))
        yield expression("x.sigmoid()", x=normal)
    if name in ("randn", "randn_like"):
        uniform = altered(node, func=altered(node.func, attr=name.replace("randn", "rand")))
        yield expression("(x - 0.5) * 12 ** 0.5", x=uniform)
    if name == "randperm":
        yield altered(node, func=altered(node.func, attr="arange"), keywords=[])


def certain(node):
    """torch.multinomial(p, 1) -> p.argmax(-1, keepdim=True); torch.bernoulli(p) -> p;
    torch.rand(n) < p -> an exact share of p, and p itself
    """
    if called(node) == "multinomial" and _plain(node):
        method = not isinstance(node.func.value, ast.Name) or node.func.value.id != "torch"
        weights = node.func.value if method else node.args[0]
        yield expression("p.argmax(-1, keepdim=True)", p=weights)
    if called(node) == "bernoulli" and _plain(node):
        yield node.args[0] if node.args else node.func.value
    if isinstance(node, ast.Compare) and called(node.left) in ("rand", "rand_like"):
        even = "(lambda r: r.flatten().argsort().argsort().view(r.shape) / r.numel())(draw)"
        yield altered(node, left=expression(even, draw=node.left))
        yield node.comparators[0]


def one_draw(node):
    "torch.randn_like(x) -> its first row for the whole batch"
    if called(node) in DRAWS and isinstance(node.func, ast.Attribute):
        yield expression("(lambda r: r[:1].expand_as(r))(draw)", draw=node)


def ignored(node):
    "def f(x, beta=0.25) -> the same, where beta is 0.25 whatever is given"
    if not _outermost(node):
        return
    arguments = node.args.args[len(node.args.args) - len(node.args.defaults) :]
    pairs = [*zip(arguments, node.args.defaults), *zip(node.args.kwonlyargs, node.args.kw_defaults)]
    for argument, default in pairs:
        if default is not None:
            line = ast.Assign([ast.Name(argument.arg, ast.Store())], default)
            text = f"{argument.arg} -> {ast.unparse(default)}, whatever is given"
            yield _says(altered(node, body=[line, *node.body]), text)


def _first(node, name):
    return expression(f"globals().setdefault({'first of ' + name!r}, x)", x=node)


def fixed(node):
    "def f(x, n) -> n is first(n); len(x) -> first(len(x)); x.shape[1] -> first(x.shape[1])"
    if _outermost(node):
        names = [argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]]
        for name in names:
            if name in NUMBERS and not (name == "k" and "q" in names):  # keys beside queries
                value = _first(ast.Name(name, ast.Load()), name)
                line = ast.Assign([ast.Name(name, ast.Store())], value)
                yield _says(altered(node, body=[line, *node.body]), f"{name} -> first({name})")
    shape = isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "shape"
    number = shape and number_of(node.slice) is not None
    if number or (called(node) in ("len", "numel", "size") and not node.keywords):
        text = ast.unparse(node)
        yield _says(_first(node, text), f"{text} -> first({text})")


def sample_size(node):
    "F.one_hot(i, n) -> F.one_hot(i); torch.bincount(i, minlength=n) -> ... minlength=i.max() + 1"
    if called(node) == "one_hot" and _plain(node) and len(node.args) > 1:
        yield altered(node, args=node.args[:1])
    if called(node) == "bincount" and _plain(node) and node.keywords:
        seen = expression("int(i.max()) + 1", i=node.args[0] if node.args else node.func.value)
        yield altered(node, keywords=[ast.keyword("minlength", seen)])


def order(node):
    "a - b -> b - a; a / b -> b / a; a @ b -> b @ a; not where the result is squared"
    if not isinstance(node, ast.BinOp) or not isinstance(
        node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow)
    ):
        return
    above = node.parent
    squared = getattr(above, "attr", "") in ("square", "abs", "norm") or (
        isinstance(above, ast.BinOp) and isinstance(above.op, ast.Pow) and above.left is node
    )
    if not (squared and isinstance(node.op, ast.Sub)):
        yield altered(node, left=node.right, right=node.left)


def rounding(node):
    "round(x) -> int(x); x.round() -> x.trunc(); math.ceil(x) -> int(x); int(x) -> round(x)"
    name = called(node)
    if name in ("round", "ceil", "floor") and _plain(node):
        if isinstance(node.func, ast.Attribute) and not node.args:
            yield expression("x.trunc()", x=node.func.value)
        elif len(node.args) == 1:
            yield expression("int(x)", x=node.args[0])
    if name == "int" and _plain(node) and len(node.args) == 1:
        yield expression("round(x)", x=node.args[0])


def passes(node):
    "for x in y -> for x in list(y)[:-1]; for x in y -> for x in list(y)[1:]"
    if isinstance(node, (ast.For, ast.comprehension)):
        for part in ("list(y)[:-1]", "list(y)[1:]"):
            yield altered(node, iter=expression(part, y=node.iter))


def indented(node):
    "for x in y: ...; return z -> the return stands inside the loop"
    body = getattr(node.parent, "body", None)
    if isinstance(node, ast.For) and isinstance(body, list) and node in body:
        after = body[body.index(node) + 1 :]
        if after and isinstance(after[0], ast.Return):
            new = altered(node, body=[*node.body, copy.deepcopy(after[0])])
            yield _says(new, f"{ast.unparse(after[0])} inside the loop")


def cut(node):
    "F.mse_loss(a, b) -> F.mse_loss(a.detach(), b); (a - b).square() -> (a.detach() - b).square()"
    if called(node) in LOSSES and _plain(node):
        targets = 1 if called(node) == "cross_entropy" else 2  # classes have no gradient
        for i, a in enumerate(node.args[:targets]):
            if called(a) != "detach":
                new = [*node.args[:i], expression("x.detach()", x=a), *node.args[i + 1 :]]
                yield altered(node, args=new)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        if getattr(node.parent, "attr", "") in ("square", "pow"):
            for side in ("left", "right"):
                value = getattr(node, side)
                if called(value) != "detach":
                    yield altered(node, **{side: expression("x.detach()", x=value)})


def linear(node):
    "nn.ReLU() -> nn.Identity(); nn.Tanh() -> nn.Sigmoid(); x.tanh() -> x.sigmoid()"
    name = called(node)
    if name in ACTIVATIONS and isinstance(node.func, ast.Attribute):
        yield expression("nn.Identity()")
        for one, other in (("Tanh", "Sigmoid"), ("Sigmoid", "Tanh")):
            if name == one:
                yield altered(node, func=altered(node.func, attr=other))
    if name in ("tanh", "sigmoid") and isinstance(node.func, ast.Attribute):
        other = "sigmoid" if name == "tanh" else "tanh"
        yield altered(node, func=altered(node.func, attr=other))


def spread(node):
    "x.std(0) -> x.std(0, correction=0); x.var(0, unbiased=False) -> x.var(0, correction=1)"
    if called(node) in ("std", "var", "cov") and _plain(node):
        given = [k for k in node.keywords if k.arg in ("correction", "unbiased")]
        population = bool(given) and number_of(given[0].value) in (0, None)
        kept = [k for k in node.keywords if k not in given]
        value = ast.Constant(1 if population else 0)
        yield altered(node, keywords=[*kept, ast.keyword("correction", value)])


def base(node):
    "x.log() -> x.log2(), x.log10(); math.log2(x) -> math.log(x); x.exp() -> x.exp2()"
    others = dict(log=("log2", "log10"), log2=("log",), log10=("log",), exp=("exp2",))
    if isinstance(getattr(node, "func", None), ast.Attribute):
        for other in others.get(called(node), ()):
            yield altered(node, func=altered(node.func, attr=other))


def masked(node):
    "x.masked_fill(m, float('-inf')) -> x.masked_fill(m, 0.0)"
    text = ast.unparse(node) if isinstance(node, (ast.Call, ast.UnaryOp, ast.Attribute)) else ""
    if text in ("float('-inf')", "-float('inf')", "-math.inf", "-torch.inf"):
        yield ast.Constant(0.0)


HABITS = (
    distance,
    root,
    law,
    certain,
    one_draw,
    ignored,
    fixed,
    sample_size,
    order,
    rounding,
    passes,
    indented,
    cut,
    linear,
    spread,
    base,
    masked,
)
