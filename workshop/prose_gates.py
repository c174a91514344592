"""Gates of what a notebook says in words; gate(nb, path, root) gives its problems."""

import re

from mmgen.interview.references import bibliography
from mmgen.interview.references import problems as citation_problems

from . import claims, repo
from .page_gates import (
    NOTEBOOK_GATES,
    code_cells,
    gate,
    output_text,
    prose_cells,
    without_code,
)

UNITS = (
    r"(?:s|sec|seconds?|ms|milliseconds?|µs|us|min|minutes?|h|hours?|dB|%|percent|per cent"
    r"|[kKMG]i?B"
    r"|(?:times|x) (?:faster|slower)|images per second)"
)
MEASURED = re.compile(rf"(?<![\w.,^_{{-])(\d+(?:[.,]\d+)*)\s?(?:{UNITS})(?![\w/])")
RESULT = re.compile(r"(?<![\w.,/^_-])\d*\.\d+(?![\w.]*\d|\w)")
NAMED = re.compile(
    r"(?:arxiv:?|exercises?|sections?|equations?|eqs?\.?|versions?|figure|fig\.?|table|torch"
    r"|python|appendix|algorithm|chapter|§)\s*[\d.]+(?:\s*(?:,|and|to|-)\s*[\d.]+)*",
    re.I,
)


def plain_prose(text) -> list:
    """Lines of Markdown without code, maths, links, named numbers, tables of symbols, and lines
    marked `<!-- exact -->`.
    """
    text = re.sub(r"\$\$.*?\$\$", "", without_code(text), flags=re.S)
    text = re.sub(r"^\|.*\bsymbol\b.*\n(?:\|.*\n?)*", "", text, flags=re.M | re.I)
    found = []
    for line in text.splitlines():
        if "<!-- exact -->" in line or re.match(r"\*(About|Difficulty)\b", line):
            continue
        line = re.sub(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)|<[^>]*>|https?://\S+", " ", line)
        found.append(NAMED.sub(" ", line))
    return found


@gate(NOTEBOOK_GATES)
def no_typed_results(nb, path, root):
    """Prose holds no measured number: none with a unit, no decimal of three digits. A cell prints
    it, or `<!-- exact -->` marks the line.
    """
    bad = []
    for i, text in prose_cells(nb):
        for line in plain_prose(text):
            found = [m[0].strip() for m in MEASURED.finditer(line)] + [
                m[0] for m in RESULT.finditer(line) if digits(m[0]) >= 3
            ]
            bad += [
                f"cell {i}: {n!r} is typed into the prose; a cell should print it"
                for n in dict.fromkeys(found)
            ]
    return bad


def digits(number) -> int:
    "How many significant digits a decimal has."
    return len(number.replace(".", "").lstrip("0"))


TIME = re.compile(
    r"\b\d+(?:\.\d+)?\s?(?:s|ms|µs|min|seconds?|minutes?|CPU-s|CPU-seconds?|CPU seconds?)\b"
)
MACHINE = re.compile(
    r"\b(?:\d+|one|two) (?:CPU )?(?:threads?|cores?)\b|\bthreads?:? ?\d+|NVIDIA|\bAMD\b|\bIntel\b"
    r"|Apple|\bcuda\b",
    re.I,
)

CLOCK = re.compile(
    r"Stopwatch|perf_counter|process_time|time\.time|%time|\.(?:wall|cpu|seconds)\b|[\"']seconds[\"']"
)


@gate(NOTEBOOK_GATES)
def times_name_the_machine(nb, path, root):
    """Where an output tells a time, some output of the notebook says on what machine: threads,
    cores or the GPU.
    """
    if any(MACHINE.search(output_text(o)) for _, c in code_cells(nb) for o in c["outputs"]):
        return []
    texts = [
        (i, output_text(o))
        for i, c in code_cells(nb)
        if CLOCK.search(repo.source(c))
        for o in c["outputs"]
    ]
    timed = [
        f"cell {i}: prints {m[0]!r}, and no output names the machine; print the number of "
        "threads, or the GPU"
        for i, t in texts
        if (m := TIME.search(t))
    ]
    return timed[:1]


@gate(NOTEBOOK_GATES)
def citations(nb, path, root):
    "Every citation (name and year) and every arXiv id means one work of data/references.yaml."
    cells = list(enumerate(nb["cells"], 1))
    try:
        return [
            f"cell {i}: {p}"
            for i, c in cells
            for p in citation_problems(repo.source(c), bibliography(root))
        ]
    except repo.CourseError as e:
        return [str(e)]


@gate(NOTEBOOK_GATES)
def claims_hold(nb, path, root):
    """What a conclusion claims in its metadata holds in the stored table above it; a difference
    inside the seeds' spread is a tie.
    """
    return claims.problems(nb)
