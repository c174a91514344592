"""The course as web pages: `mmgen site` turns the stored notebooks, the question bank and the exercises into plain HTML.

Nothing is executed and nothing is fetched. All pages lie in one folder, so every link is relative and the site works from a file,
from any sub-path of a server, and offline. Formulas are MathML, the search is one script with one index.
"""
import html
import json
import os
import re
import shutil
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from . import repo
from .links import BADGE
from .prose import Markdown, address, figures, headings, highlight, needs, opened, plain, slug
from .repo import CourseError

WEB, MARK = Path(__file__).parent / "web", "mmgen-site.txt"    # templates; the file by which a built site is known
LANGUAGES = {"en": "en", "zh": "zh-CN"}
WORDS = {
    "en": dict(questions="Interview questions", exercises="Exercises", oral="spoken", choice="choose", numeric="calculate", other="中文",
               fold="Answer", rubric="A full answer names", weak="A weak candidate says", refuted="Why that fails", follow="Follow-ups",
               shown="Shown in", sources="Sources", right="Right", lead="Answer aloud, two minutes each, then unfold."),
    "zh": dict(questions="面试题", exercises="练习", oral="口述", choice="选择", numeric="计算", other="English", fold="参考答案",
               rubric="完整回答应包含", weak="较弱的回答", refuted="问题在哪里", follow="追问", shown="见于", sources="出处", right="正确",
               lead="先开口讲，每题两分钟，再展开答案。")}
LEVELS = {"zh": dict(screening="初筛", junior="初级", senior="高级", staff="专家")}


# One kind of page each

class Site:
    "What is built: the checkout, its notebooks, and the pages written so far into `folder`."
    def __init__(self, root, folder, lang="en"):
        from jinja2 import Environment, FileSystemLoader
        self.root, self.folder, self.lang = Path(root), Path(folder), lang
        self.owner, self.name, self.branch = repo.repository(root)
        self.notebooks = {p.stem: opened(p) for p in repo.notebooks(root)}
        self.titles = {stem: repo.title(nb)[0] or stem for stem, nb in self.notebooks.items()}
        self.topics = {kind: [s for s in self.notebooks if s[3:] in has] for kind, has in
                       dict(questions=question_topics(root), exercises=exercise_topics()).items()}
        self.render, self.index = Markdown(relink=self.relink), []
        templates = Environment(loader=FileSystemLoader(WEB), autoescape=True, trim_blocks=True, lstrip_blocks=True)
        self.template = templates.get_template("page.html")

    @property
    def github(self): return f"https://github.com/{self.owner}/{self.name}"

    def around(self, stems, stem, file) -> list:
        "Pages before and after that of `stem`, as (file, title) or None; `file` makes a file name of a stem."
        k = stems.index(stem)
        near = [stems[k - 1] if k else "", stems[k + 1] if k + 1 < len(stems) else ""]
        return [(file(s), self.titles[s]) if s else None for s in near]

    def sheets(self, stem) -> list:
        "Links to the exercises and questions of a notebook, as far as it has some."
        topic, here = stem[3:], [kind for kind, stems in self.topics.items() if stem in stems]
        links = [f'<a href="exercises_{topic}.html">{WORDS["en"]["exercises"]}</a>'] if "exercises" in here else []
        for lang in LANGUAGES if "questions" in here else ():
            links.append(f'<a href="{question_file(topic, lang)}" lang="{LANGUAGES[lang]}">{WORDS[lang]["questions"]}</a>')
        return links

    def relink(self, href) -> str:
        "A link of a notebook or the README as the page needs it: notebooks become pages, files of the repository GitHub addresses."
        parts = urlsplit(href)
        if parts.scheme or href.startswith("#"): return href
        path = re.sub(r"^(\.\./|\./|nbs/)+", "", parts.path)
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        if path.endswith(".ipynb"): return path.removesuffix(".ipynb") + ".html" + anchor
        kind = "tree" if (self.root / path).is_dir() else "blob"
        return f"{self.github}/{kind}/{self.branch}/{path}{anchor}"

    def page(self, file, title, body, sections=(), lang="en", current="", around=(None, None)):
        "Write a page between two others and enter its sections (anchor, heading, level, text) into the search index."
        text = self.template.render(title=title, body=body, sections=[s for s in sections if s[2] == 2], lang=LANGUAGES[lang],
                                    current=current, file=file, site=self, W=WORDS[self.lang], before=around[0], after=around[1])
        (self.folder / file).write_text(text, encoding="utf8")
        self.index += [dict(p=title, h=head, u=f"{file}#{anchor}" if anchor else file, t=text) for anchor, head, _, text in sections]


def question_topics(root) -> set:
    "Topics that have questions."
    return {p.stem for p in (Path(root) / "data" / "questions").glob("*.yaml")}


def exercise_topics() -> set:
    "Topics that have exercises."
    from ..exercises import topics
    return set(topics())


def notebook_page(site, stem):
    "The page of one notebook."
    nb, pictures, taken, parts, sections = site.notebooks[stem], {}, set(), [], []
    for where, figure in figures(nb, stem).items():
        (site.folder / "figures" / figure.name).write_bytes(figure.png)
        pictures[where] = f'<img src="figures/{figure.name}" alt="{html.escape(figure.alt)}"{size(figure.png)} loading="lazy">'
    module = next((m[1] for c in nb["cells"] if (m := re.search(r"^#\| *default_exp +(\S+)", repo.source(c), re.M))), "")
    for i, cell in enumerate(nb["cells"]):
        text = repo.source(cell)
        if cell["cell_type"] == "markdown":
            parts.append(prose_cell(site, stem, i, text, taken)); sections += split(text)
        elif cell["cell_type"] == "code":
            parts.append(code_cell(text, cell, module) + "".join(outputs(site, cell, i, pictures)))
            if sections: sections[-1][3] += " " + text
    site.page(f"{stem}.html", site.titles[stem], "\n".join(parts), sections, current=stem,
              around=site.around(list(site.notebooks), stem, lambda s: f"{s}.html"))


def prose_cell(site, stem, i, text, taken):
    "A Markdown cell; the badge becomes a line of links, so that no picture is fetched."
    text = "\n".join(line for line in text.splitlines() if BADGE not in line)
    body = site.render(text, taken)
    if i: return body
    colab = f"https://colab.research.google.com/github/{site.owner}/{site.name}/blob/{site.branch}/nbs/{stem}.ipynb"
    more = [f'<a href="{colab}">Open in Colab</a>', f'<a href="{site.github}/blob/{site.branch}/nbs/{stem}.ipynb">Notebook on GitHub</a>']
    return body + f'<p class="links">{" · ".join(more + site.sheets(stem))}</p>'


def split(text) -> list:
    "A Markdown cell as sections [anchor, heading, level, plain text]; text before its first heading belongs to the section before."
    found = headings(text)
    pieces = re.split(r"^#{1,4}\s+.+$", text, flags=re.M)
    return [[slug(h), plain(h), level, plain(piece)] for (level, h), piece in zip(found, pieces[1:])]


def code_cell(text, cell, module) -> str:
    "A code cell without its directives and bookkeeping comments; the set-up cell is folded."
    export = re.search(r"^#\| *export", text, re.M)
    text = re.sub(r"^#\|.*\n?|^# covers: .*\n?", "", text, flags=re.M).strip("\n")
    if not text: return ""
    code = f'<pre class="code"><code>{highlight(text + chr(10))}</code></pre>'
    if "setup" in cell["metadata"].get("tags", ()): return f"<details class=setup><summary>Set-up</summary>{code}</details>"
    label = f'<div class="from">exported to <code>mmgen.{html.escape(module)}</code></div>' if export and module else ""
    return f'<div class="cell">{label}{code}</div>'


def outputs(site, cell, i, pictures):
    "The outputs of a code cell as HTML; printed pieces that follow each other are one."
    printed = []
    def flush():
        text = re.sub(r"\x1b\[[\d;]*m", "", "".join(printed)); printed.clear()
        if text.strip(): yield f'<pre class="out">{html.escape(text.rstrip())}</pre>'
    for k, output in enumerate(cell.get("outputs", ())):
        data = {key: value if isinstance(value, str) else "".join(value) for key, value in output.get("data", {}).items()}
        if output["output_type"] == "stream": printed.append("".join(output["text"])); continue
        yield from flush()
        if (i, k) in pictures: yield f"<figure>{pictures[i, k]}</figure>"
        elif "text/html" in data: yield f'<div class="out html">{data["text/html"]}</div>'
        elif "text/markdown" in data: yield f'<div class="out markdown">{site.render(data["text/markdown"])}</div>'
        elif "text/plain" in data: yield f'<pre class="out">{html.escape(data["text/plain"])}</pre>'
    yield from flush()


def size(png) -> str:
    "Width and height of a PNG as attributes, so that nothing jumps while pictures load."
    width, height = (int.from_bytes(png[k:k + 4], "big") for k in (16, 20))
    return f' width="{width}" height="{height}"' if png[1:4] == b"PNG" else ""


def question_page(site, stem, lang):
    "The questions of one topic in one language, answers folded."
    from ..interview.bank import BankError
    from ..interview.items import all_items
    topic, W, other = stem[3:], WORDS[lang], "zh" if lang == "en" else "en"
    try: items = all_items(topic, lang=lang, kinds=("oral", "choice", "numeric"))
    except BankError as e: raise CourseError(str(e)) from e
    title = f"{W['questions']}: {site.titles[stem]}"
    body = [f"<h1>{html.escape(title)}</h1>", f'<p class="links"><a href="{stem}.html">{stem[:2]}</a> · '
            f'<a href="{question_file(topic, other)}" lang="{LANGUAGES[other]}">{W["other"]}</a></p>', f"<p>{W['lead']}</p>"]
    body += [question(site, item, n, lang) for n, item in enumerate(items, 1)]
    sections = [("", title, 1, "")] + [[i.id, i.id.split(".", 1)[1], 2, plain(i.text + " " + i.answer)] for i in items]
    site.page(question_file(topic, lang), title, "\n".join(body), sections, lang, current=f"questions_{topic}",
              around=site.around(site.topics["questions"], stem, lambda s: question_file(s[3:], lang)))


def question_file(topic, lang) -> str:
    "File of a page of questions."
    return f"questions_{topic}.html" if lang == "en" else f"questions_{topic}.{lang}.html"


def question(site, item, n, lang) -> str:
    "One question of any kind."
    W, md = WORDS[lang], site.render
    level = LEVELS.get(lang, {}).get(item.level, item.level)
    name = html.escape(item.id.split(".", 1)[1])
    return (f'<article class="question"><h2 id="{html.escape(item.id)}"><span class="num">{n}</span> {name} '
            f'<span class="level">{level} · {W[item.kind]}</span></h2><div class="ask">{md(item.text)}</div>'
            f'{options(md, item)}<details><summary>{W["fold"]}</summary>{answer(md, item, W)}</details></article>')


def options(md, item) -> str:
    "The options of a choice question as a list with letters; nothing for other kinds."
    return '<ol class="options" type="A">' + "".join(f"<li>{md.inline(o)}</li>" for o in item.options) + "</ol>" if item.options else ""


def answer(md, item, W, link=address) -> str:
    "All that is folded under a question; without `link` the section that shows it is named only."
    listed = lambda tag, points: f"<{tag}>" + "".join(f"<li>{md.inline(p)}</li>" for p in points) + f"</{tag}>"
    parts = []
    if item.options:
        letter = chr(65 + item.right)
        parts.append(f"<p><strong>{W['right']}: {letter}</strong></p><ul>")
        parts += [f"<li>{chr(65 + k)}: {md.inline(why)}</li>" for k, why in enumerate(item.why) if why] + ["</ul>"]
    if item.kind == "numeric": parts.append(f"<p><strong>{item.value:.6g} {html.escape(item.unit)}</strong></p>")
    if item.rubric: parts.append(f"<h3>{W['rubric']}</h3>" + listed("ul", item.rubric) + f"<h3>{W['fold']}</h3>")
    parts.append(md(item.answer))
    for key in ("weak", "refuted"):
        if getattr(item, key): parts.append(f"<p><em>{W[key]}:</em> {md.inline(getattr(item, key).strip())}</p>")
    if item.follow_ups: parts.append(f"<h3>{W['follow']}</h3>" + listed("ol", item.follow_ups))
    shown = html.escape(item.shown_in.replace("#", ": "))
    where = f'<a href="{link(item.shown_in)}">{shown}</a>' if link else shown
    parts.append(f'<p class="small">{W["shown"]} {where}. {W["sources"]}: {md.inline("; ".join(map(str, item.sources)))}</p>')
    return "\n".join(parts)


def exercise_page(site, stem):
    "The exercises of one topic: task and starter, hints folded, no solution."
    from ..exercises import all_exercises
    topic, md = stem[3:], site.render
    mine = {id: ex for id, ex in all_exercises().items() if id.startswith(topic + ".")}
    title = f"Exercises: {site.titles[stem]}"
    body = [f"<h1>{html.escape(title)}</h1>", f'<p class="links"><a href="{stem}.html">{stem[:2]}</a></p>',
            "<p>To have an answer judged, edit the starter in the notebook, or in any notebook after <code>from mmgen.exercises import "
            "check, hint, solution</code>, and run <code>check(id, answer)</code>.</p>"]
    sections = [("", title, 1, "")]
    for n, (id, ex) in enumerate(mine.items(), 1):
        name, kind = ex.__doc__.splitlines()[0], {"bug": "Find the bug: ", "answer": "", "write": ""}[ex.kind]
        hints = "".join(f"<details><summary>Hint {k}</summary><p>{as_typed(h)}</p></details>" for k, h in enumerate(ex.hints, 1))
        level = f"difficulty {ex.difficulty} of 5 · {ex.minutes} minutes"
        starter = f'<pre class="code"><code>{highlight(ex.starter.strip() + chr(10))}</code></pre>' if ex.starter.strip() else ""
        body.append(f'<article class="question"><h2 id="{id}"><span class="num">{n}</span> {md.inline(kind + name)} '
                    f'<span class="level">{level} · <code>{id}</code></span></h2>{md(ex.task)}{starter}{hints}</article>')
        sections.append([id, plain(name), 2, plain(ex.task)])
    site.page(f"exercises_{topic}.html", title, "\n".join(body), sections, current=f"exercises_{topic}",
              around=site.around(site.topics["exercises"], stem, lambda s: f"exercises_{s[3:]}.html"))


def as_typed(text) -> str:
    "A hint, which is plain text or code and no Markdown but for its `code`."
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def index_page(site):
    "The first page: the README's introduction and the list of notebooks."
    readme = (site.root / "README.md").read_text(encoding="utf8")
    intro = re.split(r"^## ", readme, flags=re.M)[0]
    intro = re.sub(r"^\[!\[.*$|<!--.*?-->", "", intro, flags=re.M)
    for picture in re.findall(r"!\[[^\]]*\]\(([^):]+)\)", intro):
        if (site.root / picture).is_file(): shutil.copy(site.root / picture, site.folder / "figures")
    intro = re.sub(r"(!\[[^\]]*\]\()[^):]*/([^):]+\))", r"\1#picture/\2", intro)
    rows = []
    for stem, nb in site.notebooks.items():
        first = repo.source(nb["cells"][0])
        cost = re.search(r"^\*([^*].+?)\*$", first, re.M)
        title, promise, cost = map(site.render.inline, (site.titles[stem], repo.title(nb)[1], cost[1] if cost else ""))
        rows.append(f'<li><h3><a href="{stem}.html"><span class="num">{stem[:2]}</span> {title}</a></h3><p>{promise}</p>'
                    f'<p class="small">{cost}</p><p class="small">{" · ".join(site.sheets(stem))}</p></li>')
    body = site.render(intro).replace("#picture/", "figures/") + f'<p class="links"><a href="{site.github}">The course on GitHub</a></p>'
    body += f'<h2 id="notebooks">Notebooks</h2><ol class="cards">{"".join(rows)}</ol>'
    site.page("index.html", site.name, body, [("", site.name, 1, plain(intro))], 
              around=(None, next((f"{s}.html", t) for s, t in site.titles.items())))


# Links

class Page(HTMLParser):
    "The anchors, links and addresses of one page."
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources = [], [], []
        self.feed(text); self.close()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if given.get("id"): self.ids.append(given["id"])
        if tag == "a" and given.get("href") is not None: self.links.append(given["href"])
        elif tag == "link": self.sources.append(given.get("href") or "")
        elif given.get("src") is not None: self.sources.append(given["src"])


def dead_links(folder, root=None) -> list:
    "Every link of a built site that leads nowhere, as 'page: link: reason'; addresses on GitHub and Colab are looked up in `root`."
    folder = Path(folder)
    pages = {p.name: Page(p.read_text(encoding="utf8")) for p in sorted(folder.glob("*.html"))}
    own = own_addresses(root) if root else None
    bad = []
    for name, page in pages.items():
        doubled = {i for i in page.ids if page.ids.count(i) > 1}
        bad += [f"{name}: #{i}: the anchor stands twice" for i in sorted(doubled)]
        bad += [f"{name}: {s[:80]}: is fetched from elsewhere" for s in page.sources if re.match(r"https?:|//", s)]
        for href in page.links + [s for s in page.sources if not urlsplit(s).scheme]:
            if reason := dead(href, name, pages, folder, own): bad.append(f"{name}: {href}: {reason}")
    return bad


def dead(href, name, pages, folder, own) -> str:
    "Why a link leads nowhere; '' where it does not."
    parts = urlsplit(href)
    if parts.scheme or href.startswith("//"):
        hit = own and own[0].match(href)
        return "the repository has no such file" if hit and not (own[1] / unquote(hit[1])).exists() else ""
    target = unquote(parts.path) or name
    if not (folder / target).is_file(): return "there is no such page"
    anchor = unquote(parts.fragment)
    return f"{target} has no such heading" if anchor and target in pages and anchor not in pages[target].ids else ""


def own_addresses(root):
    "Pattern of the addresses that name a file of this repository, and the folder where the files lie."
    owner, name, branch = map(re.escape, repo.repository(root))
    hosts = r"https://(?:github\.com|colab\.research\.google\.com/github)"
    return re.compile(rf"{hosts}/{owner}/{name}/(?:blob|tree)/{branch}/([^#?]+)"), Path(root)


# The whole

def styles() -> str:
    "The style sheet, with the colours of code in light and dark."
    from pygments.formatters import HtmlFormatter
    light, dark = (HtmlFormatter(style=s) for s in ("friendly", "github-dark"))
    def token(formatter, at):
        lines = formatter.get_style_defs(at).splitlines()
        return "\n".join(line for line in lines if line.startswith(at) and not line.startswith(at + " {"))
    return "\n".join([(WEB / "site.css").read_text(encoding="utf8"), token(light, ".code"), token(dark, "[data-theme=dark] .code"), ""])


def write_pages(root, folder, lang="en"):
    "Write all pages into an empty folder."
    site = Site(root, folder, lang)
    if not site.notebooks: raise CourseError("nbs/ holds no notebooks; there is nothing to build")
    for name in ("figures", "static"): (site.folder / name).mkdir()
    index_page(site)
    for stem in site.notebooks:
        try: notebook_page(site, stem)
        except (CourseError, KeyError, TypeError, ValueError) as e: raise CourseError(f"{stem}.ipynb: {e}") from e
    for stem in site.topics["questions"]:
        for language in LANGUAGES: question_page(site, stem, language)
    for stem in site.topics["exercises"]: exercise_page(site, stem)
    static = site.folder / "static"
    (static / "site.css").write_text(styles(), encoding="utf8")
    for name in ("site.js", "math.woff2", "math-license.txt"): shutil.copy(WEB / name, static)
    (static / "search.js").write_text(f"window.SEARCH = {json.dumps(site.index, ensure_ascii=False)};\n", encoding="utf8")
    (site.folder / MARK).write_text("Built by `mmgen site`; the next build replaces this folder.\n", encoding="utf8")
    (site.folder / ".nojekyll").touch()


def build(root, out="site", lang="en") -> list:
    "Build the site beside `out`, check its links, then put it in place of the old one; the names of its pages."
    needs("site", "markdown_it", "mdit_py_plugins", "latex2mathml", "jinja2", "pygments")
    if lang not in LANGUAGES: raise CourseError(f"no language is called {lang!r}; {repo.nearest(lang, LANGUAGES)}")
    out = Path(out).resolve()
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / MARK).is_file())):
        raise CourseError(f"{out} is there and was not built by this command; name another folder with --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        write_pages(root, new, lang)
        bad = dead_links(new, root)
        if bad: raise CourseError("\n  ".join([f"{len(bad)} dead links; the site was not replaced", *bad[:20]]))
        new.chmod(0o755); swap(new, out)
    finally: shutil.rmtree(new, ignore_errors=True)
    return sorted(p.name for p in out.glob("*.html"))


def swap(new, out):
    "Put folder `new` where `out` is; `out` is gone only for the moment between two renames."
    old = out.with_name(f"{new.name}-old")
    if out.exists(): os.replace(out, old)
    try: os.replace(new, out)
    except OSError:
        if old.exists(): os.replace(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def main(out="site", lang="en"):
    "The command `mmgen site`."
    start, root = time.time(), repo.find_root()
    pages = build(root, out, lang)
    megabytes = sum(p.stat().st_size for p in Path(out).rglob("*") if p.is_file()) / 1e6
    print(f"{len(pages)} pages, {megabytes:.1f} MB, no dead link, {time.time() - start:.0f} s: open {Path(out) / 'index.html'}")
