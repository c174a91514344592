"""The course as web pages: `python3 course.py site` turns the stored notebooks, the question bank
and the exercises into plain HTML.

Nothing is executed and nothing is fetched. All pages lie in one folder, so every link is
relative and the site works from a file, from any sub-path of a server, and offline. Formulas are
MathML, the search is one script with one index.
"""

import html
import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from mmgen.interview.prose import Markdown, figures, headings, highlight, needs, opened, plain, slug
from mmgen.interview.sheets import LANGUAGES, WORDS, exercise_page, question_file, question_page

from . import repo
from .deadlinks import dead_links
from .links import BADGE
from .repo import CourseError, number, topic_of

WEB, MARK = (
    Path(__file__).parent / "web",
    "mmgen-site.txt",
)  # templates; the file by which a built site is known


# One kind of page each


class Site:
    "What is built: the checkout, its notebooks, and the pages written so far into `folder`."

    def __init__(self, root, folder, lang="en"):
        from jinja2 import Environment, FileSystemLoader

        self.root, self.folder, self.lang = Path(root), Path(folder), lang
        self.repository = repo.repository(root)
        self.name = self.repository.name or "mmgen"
        self.notebooks = {p.stem: opened(p) for p in repo.notebooks(root)}
        self.titles = {stem: repo.title(nb)[0] or stem for stem, nb in self.notebooks.items()}
        self.topics = {
            kind: [s for s in self.notebooks if topic_of(s) in has]
            for kind, has in dict(
                questions=question_topics(root), exercises=exercise_topics()
            ).items()
        }
        self.render, self.index = Markdown(relink=self.relink), []
        templates = Environment(
            loader=FileSystemLoader(WEB), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self.template = templates.get_template("page.html")

    def around(self, stems, stem, file) -> list:
        """Pages before and after that of `stem`, as (file, title) or None; `file` makes a file name
        of a stem.
        """
        k = stems.index(stem)
        near = [stems[k - 1] if k else "", stems[k + 1] if k + 1 < len(stems) else ""]
        return [(file(s), self.titles[s]) if s else None for s in near]

    def sheets(self, stem) -> list:
        "Links to the exercises and questions of a notebook, as far as it has some."
        topic, here = topic_of(stem), [kind for kind, stems in self.topics.items() if stem in stems]
        links = (
            [f'<a href="exercises_{topic}.html">{WORDS["en"]["exercises"]}</a>']
            if "exercises" in here
            else []
        )
        for lang in LANGUAGES if "questions" in here else ():
            links.append(
                f'<a href="{question_file(topic, lang)}" '
                f'lang="{LANGUAGES[lang]}">{WORDS[lang]["questions"]}</a>'
            )
        return links

    def relink(self, href) -> str:
        """A link of a notebook or the README as the page needs it: notebooks become pages, files of
        the repository GitHub addresses.
        """
        parts = urlsplit(href)
        if parts.scheme or href.startswith("#"):
            return href
        path = re.sub(r"^(\.\./|\./|nbs/)+", "", parts.path)
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        if path.endswith(".ipynb"):
            return path.removesuffix(".ipynb") + ".html" + anchor
        if not self.repository.web:
            return ""  # a file of the checkout, which has no address yet
        kind = "tree" if (self.root / path).is_dir() else "blob"
        return f"{self.repository.web}/{kind}/{self.repository.branch}/{path}{anchor}"

    def page(self, file, title, body, sections=(), lang="en", current="", around=(None, None)):
        """Write a page between two others and enter its sections (anchor, heading, level, text)
        into the search index.
        """
        text = self.template.render(
            title=title,
            body=body,
            sections=[s for s in sections if s[2] == 2],
            lang=LANGUAGES[lang],
            current=current,
            file=file,
            site=self,
            W=WORDS[self.lang],
            before=around[0],
            after=around[1],
        )
        (self.folder / file).write_text(text, encoding="utf8")
        self.index += [
            dict(p=title, h=head, u=f"{file}#{anchor}" if anchor else file, t=text)
            for anchor, head, _, text in sections
        ]


def question_topics(root) -> set:
    "Topics that have questions."
    return {p.stem for p in (Path(root) / "data" / "questions").glob("*.yaml")}


def exercise_topics() -> set:
    "Topics that have exercises."
    from mmgen.exercises import topics

    return set(topics())


def notebook_page(site, stem):
    "The page of one notebook."
    nb, pictures, taken, parts, sections = site.notebooks[stem], {}, set(), [], []
    for where, figure in figures(nb, stem).items():
        (site.folder / "figures" / figure.name).write_bytes(figure.png)
        pictures[where] = (
            f'<img src="figures/{figure.name}" '
            f'alt="{html.escape(figure.alt)}"{size(figure.png)} loading="lazy">'
        )
    module = next(
        (
            m[1]
            for c in nb["cells"]
            if (m := re.search(r"^#\| *default_exp +(\S+)", repo.source(c), re.M))
        ),
        "",
    )
    for i, cell in enumerate(nb["cells"]):
        text = repo.source(cell)
        if cell["cell_type"] == "markdown":
            parts.append(prose_cell(site, stem, i, text, taken))
            before, new = split(text)
            if sections:
                sections[-1][3] += " " + before
            sections += new
        elif cell["cell_type"] == "code":
            parts.append(code_cell(text, cell, module) + "".join(outputs(site, cell, i, pictures)))
            if sections:
                sections[-1][3] += " " + text
    site.page(
        f"{stem}.html",
        site.titles[stem],
        "\n".join(parts),
        sections,
        current=stem,
        around=site.around(list(site.notebooks), stem, lambda s: f"{s}.html"),
    )


def prose_cell(site, stem, i, text, taken):
    "A Markdown cell; the badge becomes a line of links, so that no picture is fetched."
    text = "\n".join(line for line in text.splitlines() if BADGE not in line)
    body = site.render(text, taken)
    if i:
        return body
    repository, more = site.repository, []
    if repository.web:
        page = f"{repository.notebooks}{stem}.ipynb"
        more = [
            f'<a href="{repository.colab(stem)}">Open in Colab</a>',
            f'<a href="{page}">Notebook on GitHub</a>',
        ]
    return body + f'<p class="links">{" · ".join(more + site.sheets(stem))}</p>'


def split(text) -> tuple:
    """A Markdown cell as the plain text before its first heading, which belongs to the section
    before, and its sections [anchor, heading, level, plain text].
    """
    before, *pieces = re.split(r"^#{1,4}\s+.+$", text, flags=re.M)
    sections = [
        [slug(h), plain(h), level, plain(piece)]
        for (level, h), piece in zip(headings(text), pieces)
    ]
    return plain(before), sections


def code_cell(text, cell, module) -> str:
    "A code cell without its directives and bookkeeping comments; the set-up cell is folded."
    export = re.search(r"^#\| *export", text, re.M)
    text = re.sub(r"^#\|.*\n?", "", text, flags=re.M).strip("\n")
    if not text:
        return ""
    code = f'<pre class="code"><code>{highlight(text + chr(10))}</code></pre>'
    if "setup" in cell["metadata"].get("tags", ()):
        return f'<details class="setup"><summary>Set-up</summary>{code}</details>'
    label = (
        f'<div class="from">exported to <code>mmgen.{html.escape(module)}</code></div>'
        if export and module
        else ""
    )
    return f'<div class="cell">{label}{code}</div>'


def as_part(site, page) -> str:
    """HTML of an output as a part of a page: its first headings become second ones, for a page has
    one h1, its own, and its links lead where those of the notebook do.
    """
    page = page.replace("<h1", "<h2").replace("</h1", "</h2")
    link = re.compile(r"""<a href=(["'])([^"'#][^"']*)\1""")
    return link.sub(lambda m: f"<a href={m[1]}{site.relink(m[2]) or '#'}{m[1]}", page)


def outputs(site, cell, i, pictures):
    "The outputs of a code cell as HTML; printed pieces that follow each other are one."
    printed = []

    def flush():
        text = re.sub(r"\x1b\[[\d;]*m", "", "".join(printed))
        printed.clear()
        if text.strip():
            yield f'<pre class="out">{html.escape(text.rstrip())}</pre>'

    for k, output in enumerate(cell.get("outputs", ())):
        data = {
            key: value if isinstance(value, str) else "".join(value)
            for key, value in output.get("data", {}).items()
        }
        if output["output_type"] == "stream":
            printed.append("".join(output["text"]))
            continue
        yield from flush()
        if (i, k) in pictures:
            yield f"<figure>{pictures[i, k]}</figure>"
        elif "text/html" in data:
            yield f'<div class="out html">{as_part(site, data["text/html"])}</div>'
        elif "text/markdown" in data:
            yield f'<div class="out markdown">{site.render(data["text/markdown"])}</div>'
        elif "text/plain" in data:
            yield f'<pre class="out">{html.escape(data["text/plain"])}</pre>'
    yield from flush()


def size(png) -> str:
    "Width and height of a PNG as attributes, so that nothing jumps while pictures load."
    width, height = (int.from_bytes(png[k : k + 4], "big") for k in (16, 20))
    return f' width="{width}" height="{height}"' if png[1:4] == b"PNG" else ""


def index_page(site):
    "The first page: the README's introduction and the list of notebooks."
    readme = (site.root / "README.md").read_text(encoding="utf8")
    intro = re.split(r"^## ", readme, flags=re.M)[0]
    intro = re.sub(r"^\[!\[.*$|<!--.*?-->", "", intro, flags=re.M)
    for picture in re.findall(r"!\[[^\]]*\]\(([^):]+)\)", intro):
        if (site.root / picture).is_file():
            shutil.copy(site.root / picture, site.folder / "figures")
    intro = re.sub(r"(!\[[^\]]*\]\()[^):]*/([^):]+\))", r"\1#picture/\2", intro)
    rows = []
    for stem, nb in site.notebooks.items():
        first = repo.source(nb["cells"][0])
        cost = re.search(r"^\*([^*].+?)\*$", first, re.M)
        title, promise, cost = map(
            site.render.inline, (site.titles[stem], repo.title(nb)[1], cost[1] if cost else "")
        )
        rows.append(
            f'<li><h3><a href="{stem}.html"><span class="num">{number(stem)}</span> '
            f"{title}</a></h3><p>{promise}</p>"
            f'<p class="small">{cost}</p><p class="small">{" · ".join(site.sheets(stem))}</p></li>'
        )
    body = site.render(intro).replace("#picture/", "figures/") + (
        f'<p class="links"><a href="{site.repository.web}">The course on GitHub</a></p>'
        if site.repository.web
        else ""
    )
    body += f'<h2 id="notebooks">Notebooks</h2><ol class="cards">{"".join(rows)}</ol>'
    site.page(
        "index.html",
        site.name,
        body,
        [("", site.name, 1, plain(intro))],
        around=(None, next((f"{s}.html", t) for s, t in site.titles.items())),
    )


# The whole


def styles() -> str:
    "The style sheet, with the colours of code in light and dark."
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=s) for s in ("friendly", "github-dark"))

    def token(formatter, at):
        lines = formatter.get_style_defs(at).splitlines()
        return "\n".join(
            line for line in lines if line.startswith(at) and not line.startswith(at + " {")
        )

    return "\n".join(
        [
            (WEB / "site.css").read_text(encoding="utf8"),
            token(light, ".code"),
            token(dark, "[data-theme=dark] .code"),
            "",
        ]
    )


def write_pages(root, folder, lang="en"):
    "Write all pages into an empty folder."
    site = Site(root, folder, lang)
    if not site.notebooks:
        raise CourseError("nbs/ holds no notebooks; there is nothing to build")
    for name in ("figures", "static"):
        (site.folder / name).mkdir()
    index_page(site)
    for stem in site.notebooks:
        try:
            notebook_page(site, stem)
        except CourseError as e:
            raise CourseError(f"{stem}.ipynb: {e}") from e
        except (KeyError, TypeError, ValueError) as e:
            raise CourseError(f"{stem}.ipynb is damaged: {type(e).__name__} {e}") from e
    for stem in site.topics["questions"]:
        for language in LANGUAGES:
            question_page(site, stem, language)
    for stem in site.topics["exercises"]:
        exercise_page(site, stem)
    static = site.folder / "static"
    (static / "site.css").write_text(styles(), encoding="utf8")
    for name in ("site.js", "math.woff2", "math-license.txt"):
        shutil.copy(WEB / name, static)
    (static / "search.js").write_text(
        f"window.SEARCH = {json.dumps(site.index, ensure_ascii=False)};\n", encoding="utf8"
    )
    (site.folder / MARK).write_text(
        "Built by `python3 course.py site`; the next build replaces this folder.\n", encoding="utf8"
    )
    (site.folder / ".nojekyll").touch()


def build(root, out="site", lang="en") -> list:
    """Build the site beside `out`, check its links, then put it in place of the old one; the names
    of its pages.
    """
    needs("site", "markdown_it", "mdit_py_plugins", "latex2mathml", "jinja2", "pygments")
    if lang not in LANGUAGES:
        raise CourseError(f"no language is called {lang!r}; {repo.nearest(lang, LANGUAGES)}")
    out = Path(out).resolve()
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / MARK).is_file())):
        raise CourseError(
            f"{out} is there and was not built by this command; name another folder with --out"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        write_pages(root, new, lang)
        bad = dead_links(new, root)
        if bad:
            raise CourseError(
                "\n  ".join([f"{len(bad)} dead links; the site was not replaced", *bad[:20]])
            )
        new.chmod(0o755)
        swap(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return sorted(p.name for p in out.glob("*.html"))


def swap(new, out):
    "Put folder `new` where `out` is; `out` is gone only for the moment between two renames."
    old = out.with_name(f"{new.name}-old")
    if out.exists():
        os.replace(out, old)
    try:
        os.replace(new, out)
    except OSError:
        if old.exists():
            os.replace(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def main(out="site", lang="en"):
    "The command `python3 course.py site`."
    start, root = time.time(), repo.find_root()
    pages = build(root, out, lang)
    megabytes = sum(p.stat().st_size for p in Path(out).rglob("*") if p.is_file()) / 1e6
    print(
        f"{len(pages)} pages, {megabytes:.1f} MB, no dead link, {time.time() - start:.0f} s: "
        f"open {Path(out) / 'index.html'}"
    )
