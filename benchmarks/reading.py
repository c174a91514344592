"""Length of a piece of code: lines that are not blank, not a comment and not a docstring.

python benchmarks/reading.py FILE NAME [NAME...]     NAME is a function, a class, or CLASS.METHOD

Without arguments it measures the six pieces of this course that `reading.md` compares.
"""

import ast
import io
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = {
    "quantizer": ["VectorQuantizer", "VectorQuantizer.quantize", "VectorQuantizer.losses"],
    "attention": ["Attention", "Attention.heads", "Attention.forward", "attend"],
    "dit": ["DiTBlock", "DiTBlock.forward"],
    "samplers": ["sampler_loop", "ddim", "heun"],
    "training": ["training_step"],
    "vqgan": ["generator_loss", "discriminator_loss"],
}
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def find(tree, name):
    "The function or class called `name`, with dots for what lies inside."
    for part in name.split("."):
        inside = (n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef)))
        tree = next(n for n in inside if n.name == part)
    return tree


def docstrings(tree) -> set:
    "Numbers of the lines that docstrings take."
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            lines |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def measure(source, name) -> tuple:
    "Lines of code of `name`, and the width of its longest line."
    node = find(ast.parse(source), name)
    whole = range(node.lineno, node.end_lineno + 1)
    written = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            written |= set(range(token.start[0], token.end[0] + 1))
    lines = source.splitlines()
    code = (written & set(whole)) - docstrings(node)
    return len(code), max(len(lines[i - 1]) for i in whole)


def main(arguments):
    todo = {ROOT / "mmgen" / f"{module}.py": names for module, names in OURS.items()}
    if arguments:
        todo = {Path(arguments[0]): arguments[1:]}
    for path, names in todo.items():
        for name in names:
            code, width = measure(path.read_text(encoding="utf8"), name)
            print(f"{path.stem:12} {name:28} {code:3} lines, longest {width}")


if __name__ == "__main__":
    main(sys.argv[1:])
