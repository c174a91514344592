"""What a conclusion claims of the table above it, held against the stored numbers.

A markdown cell carries its comparisons in its metadata, each as one text,

    claims=["test accuracy: random shifts > nothing", "test accuracy: dropout .5 = nothing"]

that is COLUMN: ROW, a sign, ROW, or the other way round, ROW: COLUMN, a sign, COLUMN. The numbers
are those of the nearest frame above that has all three names. A frame's cell is a number, or a
mean ± the standard deviation over seeds. `>` and `<` hold where the intervals lie apart; `=` holds
where they overlap, a tie; `> 2 *` and `< .5 *` compare with a multiple.
"""

import re
from html.parser import HTMLParser
from typing import NamedTuple

from . import repo

CLAIM = re.compile(r"(?P<of>.+?): (?P<a>.+?) (?P<sign>[<>=])(?: (?P<factor>[\d.]+) \*)? (?P<b>.+)")
CELL = re.compile(r"(-?[\d.,]+(?:e[+-]?\d+)?)(?: ± ([\d.]+(?:e[+-]?\d+)?))?\s*%?")


class ClaimError(ValueError):
    "A claim that is no claim, or names nothing that the tables hold."


class Interval(NamedTuple):
    "A mean and its spread."

    mean: float
    spread: float = 0.0

    def __str__(self):
        return f"{self.mean:g}" + (f" ± {self.spread:g}" if self.spread else "")


class _Frame(HTMLParser):
    "The rows of a pandas frame in HTML: those of its head and those of its body."

    def __init__(self, html):
        super().__init__()
        self.head = []
        self.body = []
        self.rows = self.head
        self.text = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "tbody":
            self.rows = self.body
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td") and self.rows:
            self.text = ""

    def handle_data(self, data):
        if self.text is not None:
            self.text += data

    def handle_endtag(self, tag):
        if tag in ("th", "td") and self.text is not None:
            self.rows[-1].append(self.text.strip())
            self.text = None


def frames(cell) -> list:
    "The frames among the stored outputs of a cell, each as {(row, column): text}."
    found = []
    for output in cell.get("outputs", ()):
        html = output.get("data", {}).get("text/html", "")
        html = html if isinstance(html, str) else "".join(html)
        if 'class="dataframe"' in html:
            found.append(_cells(_Frame(html)))
    return found


def _cells(frame) -> dict:
    "Every cell of a frame by the name of its row and of its column."
    columns = frame.head[0] if frame.head else []
    cells = {}
    for row in frame.body:
        named = dict(zip(columns[len(columns) - len(row) :], row))
        for name in row:  # any text of a row may name it: an index, or a column of names
            for column, text in named.items():
                cells.setdefault((name, column), text)
    return cells


def interval(text) -> Interval:
    "The number in a cell of a frame; ClaimError where there is none."
    found = CELL.fullmatch(text)
    if not found:
        raise ClaimError(f"{text!r} is no number")
    mean, spread = (part and float(part.replace(",", "")) for part in found.groups())
    return Interval(mean, spread or 0.0)


def judge(claim, tables) -> str:
    "'' if the claim holds in the nearest of `tables`, last first; else what the numbers are."
    parts = CLAIM.fullmatch(claim)
    if not parts:
        raise ClaimError(f"{claim!r} is no claim; expected 'COLUMN: ROW > ROW'")
    of, a, b = parts["of"], parts["a"], parts["b"]
    for cells in reversed(tables):
        for one, other in (((a, of), (b, of)), ((of, a), (of, b))):
            if one in cells and other in cells:
                return _verdict(claim, parts, interval(cells[one]), interval(cells[other]))
    raise ClaimError(f"{claim!r} names no two cells of one frame above it")


def _verdict(claim, parts, a, b) -> str:
    factor = float(parts["factor"] or 1)
    low, high = factor * (b.mean - b.spread), factor * (b.mean + b.spread)
    above = a.mean - a.spread > high
    below = a.mean + a.spread < low
    holds = {">": above, "<": below, "=": not above and not below}[parts["sign"]]
    if holds:
        return ""
    verdict = "above" if above else "below" if below else "a tie"
    return f"claims {claim!r}, and the numbers are {a} and {b}: {verdict}"


def problems(nb) -> list:
    "What is wrong with the claims of a notebook, each with its cell."
    bad = []
    tables = []
    for i, cell in enumerate(nb["cells"], 1):
        tables += frames(cell)
        for claim in cell["metadata"].get("claims", ()):
            try:
                said = judge(claim, tables)
            except ClaimError as e:
                said = str(e)
            if said:
                bad.append(f"cell {i}: {said}")
        if repo.source(cell).startswith("## "):
            tables = tables[-1:]  # a section may still speak of the last table before it
    return bad
