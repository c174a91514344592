"""Texts and notebooks as HTML: what the site and the Anki deck share. Needs the extra `site`."""

import base64
import html
import re
from dataclasses import dataclass
from textwrap import shorten

from . import checkout
from .formulas import mathml
from .checkout import CourseError

CJK_GAP = re.compile(
    r"(?<=[\u3001-\u9fff\uff01-\uff5e])[ \n](?=[\u3001-\u9fff\uff08])"
)  # a line break of the source
FIGURE_TEXT = 300  # characters of a picture's alternative text


def needs(extra, *modules):
    "Raise CourseError that names the extra if one of these modules is not installed."
    from importlib.util import find_spec

    missing = [m for m in modules if find_spec(m) is None]
    if missing:
        raise CourseError(
            f"not installed: {', '.join(missing)}; run `python3 course.py setup-dev`, or "
            f"install the extra `{extra}`"
        )


def slug(heading) -> str:
    "The anchor of a heading, as JupyterLab makes it: its text without marks, each blank a hyphen."
    return re.sub(r"\s", "-", re.sub(r"[`*$]", "", heading.strip().lstrip("#").strip()))


def address(shown_in, ending=".html") -> str:
    "`NOTEBOOK#Heading` of the question bank as a link."
    from urllib.parse import quote

    notebook, heading = shown_in.split("#", 1)
    return f"{notebook}{ending}#{quote(slug(heading))}"


def mathjax(tex, display=False) -> str:
    r"A formula between the marks \( \) or \[ \] that Anki renders."
    return html.escape(rf"\[{tex}\]" if display else rf"\({tex}\)", quote=False)


def highlight(source, language="python", _attributes=None) -> str:
    "Code with the classes of Pygments; an unknown language is left plain."
    from pygments import highlight as mark
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return mark(
            source, get_lexer_by_name(language or "text", stripnl=False), HtmlFormatter(nowrap=True)
        )
    except ClassNotFound:
        return html.escape(source)


class Markdown:
    """Markdown with tables, `$` formulas and anchors at headings; `relink` turns each address,
    `math` each formula.
    """

    def __init__(self, math=mathml, relink=lambda href: href):
        from markdown_it import MarkdownIt
        from mdit_py_plugins.dollarmath import dollarmath_plugin

        self.md = MarkdownIt("commonmark", dict(html=True, highlight=highlight)).enable(
            ["table", "strikethrough"]
        )
        self.md.use(
            dollarmath_plugin,
            renderer=lambda tex, o: math(tex, o["display_mode"]),
            double_inline=True,
            allow_labels=False,
        )
        self.relink = relink

    def __call__(self, text, taken=None) -> str:
        "HTML of `text`; `taken` is the set of anchors of the page so far."
        tokens = self.md.parse(CJK_GAP.sub("", text))
        for token, following in zip(tokens, [*tokens[1:], None]):
            if token.type == "heading_open":
                anchor, taken = slug(following.content), set() if taken is None else taken
                while anchor in taken:
                    anchor += "-"
                taken.add(anchor)
                token.attrSet("id", anchor)
            for child in token.children or ():
                for key in ("href", "src"):
                    if child.attrGet(key):
                        child.attrSet(key, self.relink(child.attrGet(key)))
        return self.md.renderer.render(tokens, self.md.options, {})

    def inline(self, text) -> str:
        "HTML of a line without a paragraph around it."
        return self.md.renderInline(CJK_GAP.sub("", text))


@dataclass(frozen=True)
class Figure:
    """A picture of a notebook: its file name, the heading it stands under, its bytes, and what is
    to be seen in it.
    """

    name: str
    heading: str
    png: bytes
    alt: str


def headings(text) -> list:
    "The headings of a Markdown text as (level, heading), code blocks left out."
    return [
        (len(m[1]), m[2].strip())
        for m in re.finditer(r"^(#{1,4})\s+(.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    ]


def plain(text) -> str:
    "Markdown as one line of plain text."
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|<!--.*?-->|</?\w[^>]*>", r"\1", text, flags=re.S)
    return re.sub(
        r"[\s|]+",
        " ",
        re.sub(
            r"\*\*|\*(?=\w)|(?<=\w)\*|[`$]|^#+ .*$|^> *|^\s*[-*] +|^[-:| ]+$", "", text, flags=re.M
        ),
    ).strip()


def what_to_see(before, after, code="") -> str:
    """Alternative text of a picture between two Markdown cells: what follows 'What to see', else
    its titles, else the nearest sentence.
    """
    before, after = (plain(re.sub(r"^\|.*$", "", text, flags=re.M)) for text in (before, after))
    seen = next(
        (m[1] for m in (re.search(r"What to see\W*(.+)", text) for text in (before, after)) if m),
        "",
    )
    titles = ". ".join(dict.fromkeys(re.findall(r'title\w*[=(] *f?"([^"{]{12,})"', code)))
    first = re.match(r".{20,}?[.?!](?=\s|$)|.*", after)[0]
    text = seen or titles or first or re.split(r"(?<=[.?!])\s+", before)[-1] or "Figure"
    return shorten(text[:1].upper() + text[1:], FIGURE_TEXT, placeholder=" ...")


def figures(nb, stem) -> dict:
    "Pictures of a notebook as {(index of the cell, index of the output): Figure}."
    cells, found, heading = nb["cells"], {}, ""
    prose = [checkout.source(c) if c["cell_type"] == "markdown" else None for c in cells]
    for i, cell in enumerate(cells):
        if prose[i] is not None:
            heading = ([h for _, h in headings(prose[i])] or [heading])[-1]
        before = next((t for t in prose[i::-1] if t), "")
        after = prose[i + 1] or "" if i + 1 < len(cells) else ""
        for k, output in enumerate(cell.get("outputs", ())):
            if "image/png" not in output.get("data", {}):
                continue
            png = base64.b64decode("".join(output["data"]["image/png"]))
            found[i, k] = Figure(
                f"{stem}-{i + 1:03d}-{k}.png",
                heading,
                png,
                what_to_see(before, after, checkout.source(cell)),
            )
    return found


def opened(path) -> dict:
    """A notebook whose outputs are whole; a damaged one, or one with a stored error, raises
    CourseError.
    """
    nb = checkout.read(path)
    cells = nb.get("cells") if isinstance(nb, dict) else None
    if not isinstance(cells, list) or not cells:
        raise CourseError(f"{path.name} is no notebook: it has no cells")
    for n, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or not {"cell_type", "source"} <= set(cell):
            raise CourseError(f"{path.name}: cell {n} is damaged: it lacks its type or source")
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error":
                said = f"{output.get('ename')}: {str(output.get('evalue'))[:80]}"
                raise CourseError(
                    f"{path.name}: cell {n} holds an error, {said}; run the notebook again"
                )
    return nb
