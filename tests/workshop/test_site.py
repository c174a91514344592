"""The course as web pages: nothing lost on the way, every link alive, and a failed build leaves the
old site as it was.
"""

import html
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from course_fixtures import code, make_course, notebook, picture, prose, stream

from mmgen.interview import prose as text
from mmgen.interview import sheets
from mmgen.interview.bank import TOPICS, load_questions
from mmgen.interview.items import make_item
from workshop import cli, repo, site
from workshop.deadlinks import Page, dead_links
from workshop.repo import CourseError

pytest.importorskip("latex2mathml", reason="the extra `site` is not installed")
ROOT = Path(__file__).parents[2]
FIRST = "# What is one?\n> A promise.\n\n*About 1 minute. Needs nothing.*"


def lesson(*cells, first=FIRST):
    return notebook(prose(first), code("seed = 0", 1, tags=["parameters"]), *cells)


def course(tmp_path, *cells):
    "A course of two notebooks; `cells` end the first."
    one = lesson(
        code("#| export\nprint(1 < 2)", 2, [stream("a <b>\n"), stream("c\n")]),
        prose(
            "## The `wall`, drawn\nOne is $a_1 < 2$.\n\n$$\\sum_i \\frac{a}{b}$$\n\nWhat to "
            "see: two **bars**, both `white`."
        ),
        code("plot()", 3, [picture()]),
        *cells,
    )
    two = lesson(prose("Back to [one](00_one.ipynb#The-wall,-drawn)."), first="# Two?")
    return make_course(tmp_path / "course", n00_one=one, n01_two=two)


@pytest.fixture
def built(tmp_path):
    root = course(tmp_path)
    site.build(root, tmp_path / "out")
    return tmp_path / "out"


def read(folder, name):
    return (folder / name).read_text(encoding="utf8")


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_notebook_becomes_a_page(built):
    page = read(built, "00_one.html")
    assert '<h2 id="The-wall,-drawn">The <code>wall</code>, drawn</h2>' in page
    assert '<pre class="out">a &lt;b&gt;\nc</pre>' in page  # two streams, one output
    assert "#|" not in page
    assert (
        'rel="next" title="Two?"' in page and 'rel="prev"' not in page and "colab-badge" not in page
    )
    assert re.search(
        r'<img src="figures/00_one-005-0.png" alt="Two bars, both white." width="64" height="48"',
        page,
    )
    import base64

    stored = repo.read(built.parent / "course/nbs/00_one.ipynb")["cells"][4]["outputs"][0]["data"][
        "image/png"
    ]
    assert (built / "figures/00_one-005-0.png").read_bytes() == base64.b64decode(stored)


def test_the_index_names_every_notebook(built):
    page = read(built, "index.html")
    assert all(
        words in page
        for words in (
            "What is one?",
            "A promise.",
            "About 1 minute. Needs nothing.",
            'href="01_two.html"',
        )
    )


def test_every_address_is_relative_and_nothing_is_fetched(built):
    for path in built.glob("*.html"):
        page = Page(path.read_text(encoding="utf8"))
        assert page.sources and not any("//" in s or s.startswith("/") for s in page.sources)
        assert not any(h.startswith("/") for h in page.links)
    assert not re.search(r"url\(['\"]?(https?:|/)|@import", read(built, "static/site.css"))


def test_the_search_finds_what_is_there(built):
    entries = json.loads(
        read(built, "static/search.js").removeprefix("window.SEARCH = ").strip().removesuffix(";")
    )
    assert any(e["h"] == "The wall, drawn" and "two bars" in e["t"] for e in entries)
    for e in entries:
        file, _, anchor = e["u"].partition("#")
        assert not anchor or anchor in Page(read(built, file)).ids


def test_formulas_are_mathml():
    root = ET.fromstring(text.mathml(r"\frac{a}{b} < \sqrt{c}", True))
    fraction = next(root.iter("mfrac"))
    assert root.get("display") == "block" and ["".join(e.itertext()) for e in fraction] == [
        "a",
        "b",
    ]
    assert root.get("alttext") == r"\frac{a}{b} < \sqrt{c}" and next(root.iter("msqrt")) is not None


@pytest.mark.parametrize(
    "tex,shape",
    [
        (r"\mathcal L", "<mi>ℒ</mi>"),
        (r"\mathbb E", "<mi>𝔼</mi>"),
        (r"\mathcal N", "<mi>𝒩</mi>"),
        (r"\mathbf x", "<mi>𝐱</mi>"),
        (
            r"\lVert a\rVert^2",
            '<mo stretchy="false">‖</mo><mi>a</mi><msup><mo '
            'stretchy="false">‖</mo><mn>2</mn></msup>',
        ),
        (r"\log p", '<mi>log</mi><mspace width="0.167em" /><mi>p</mi>'),
        (r"\log_2 K", '<mn>2</mn></msub><mspace width="0.167em" /><mi>K</mi>'),
        (r"x_{\setminus M}", "<mi>∖</mi>"),
        (r"\text{a \& b}", "a\u00a0&\u00a0b"),
        (r"|M|", '<mo stretchy="false" lspace="0" rspace="0">|</mo>'),
        (r"\exp(x)", '<mi>exp</mi><mo stretchy="false">(</mo>'),
        (r"\mathrm{sg}[x]", "sg["),
        (
            r"\sum_k^n p",
            '<munderover><mo movablelimits="true">∑</mo><mi>k</mi><mi>n</mi></munderover>',
        ),
        (
            r"\arg\min_j x",
            '<mo>arg</mo><mspace width="0.167em" /><munder><mo '
            'movablelimits="true">min</mo><mi>j</mi></munder>',
        ),
    ],
)
def test_formulas_are_what_browsers_draw(tex, shape):
    made = text.mathml(tex)
    assert shape in made or shape in "".join(ET.fromstring(made).itertext())


def test_a_formula_that_is_not_understood_is_named():
    with pytest.raises(CourseError, match="formula .*nosuch.* not understood"):
        text.mathml(r"\nosuch{x}")


def test_every_formula_of_the_course_is_wellformed():
    seen = []
    md = text.Markdown(
        math=lambda tex, display: seen.append((tex, text.mathml(tex, display))) or ""
    )
    for path in repo.notebooks(ROOT):
        for cell in repo.read(path)["cells"]:
            if cell["cell_type"] == "markdown":
                md(repo.source(cell))
    assert len(seen) > 300
    children = dict(msub=2, msup=2, munder=2, mover=2, mfrac=2, msubsup=3, munderover=3)
    for tex, made in seen:
        root = ET.fromstring(made)
        assert all(len(node) == children.get(node.tag, len(node)) for node in root.iter()), tex
        assert all(node.get("mathvariant") in (None, "normal") for node in root.iter()), tex


def test_anchors_are_those_of_the_question_bank():
    """`shown_in` leads to the heading with exactly these words, for every entry whose notebook is
    here.
    """
    ids = {}
    for path in repo.notebooks(ROOT):
        cells, taken = repo.read(path)["cells"], set()
        md = text.Markdown(math=lambda tex, display: "")
        page = "".join(md(repo.source(c), taken) for c in cells if c["cell_type"] == "markdown")
        ids[path.stem] = {
            html.unescape(i): plain(h)
            for i, h in re.findall(r'<h\d id="([^"]+)">(.*?)</h\d>', page)
        }
    found = 0
    for topic in TOPICS:
        for q in load_questions(topic):
            notebook, heading = q["shown_in"].split("#", 1)
            if notebook not in ids:
                continue
            file, anchor = text.address(q["shown_in"]).split("#")
            assert file == f"{notebook}.html" and ids[notebook][unquote(anchor)] == heading.replace(
                "`", ""
            )
            found += 1
    assert found > 50


def plain(fragment):
    return html.unescape(re.sub(r"<[^>]+>", "", fragment)).strip()


def test_equal_headings_get_anchors_of_their_own():
    taken, md = set(), text.Markdown()
    assert re.findall(
        r'id="([^"]+)"', md("## Same\n\n## Same\n", taken) + md("## Same", taken)
    ) == ["Same", "Same-", "Same--"]


def test_a_line_break_between_chinese_letters_is_no_space():
    md = text.Markdown()
    assert md("码本里 为每一格，\n用 Python 写") == "<p>码本里为每一格，用 Python 写</p>\n"


def test_without_such_words_a_picture_has_its_title():
    assert (
        text.what_to_see("Before it.", "After it.", 'ax.set_title("Six codes and their cells")')
        == "Six codes and their cells"
    )


@pytest.mark.parametrize(
    "before,after,alt",
    [
        ("Some words. What to see: the plane.", "", "The plane."),
        ("Before.", "What to see: it falls, $x$ too.", "It falls, x too."),
        ("First. Last one here:", "", "Last one here:"),
        (
            "",
            "## Head\nLeft: it falls. Then more, and more.",
            "Left: it falls. Then more, and more.",
        ),
        ("", "A sentence, long enough. More.", "A sentence, long enough."),
        ("", "", "Figure"),
    ],
)
def test_a_picture_says_what_is_to_be_seen(before, after, alt):
    assert text.what_to_see(before, after) == alt


# What goes wrong


def damage(path):
    path.write_text(path.read_text()[:200])


def error(path):
    nb = repo.read(path)
    nb["cells"][2]["outputs"] = [
        dict(output_type="error", ename="ValueError", evalue="no", traceback=[])
    ]
    repo.write(nb, path)


def broken_links(path):
    nb = repo.read(path)
    nb["cells"].append(prose("See [there](07_missing.ipynb) and [here](#Nowhere)", id="last"))
    repo.write(nb, path)


def bad_formula(path):
    nb = repo.read(path)
    nb["cells"].append(prose(r"$\nosuch{x}$", id="last"))
    repo.write(nb, path)


@pytest.mark.parametrize(
    "break_it,words",
    [
        (damage, ["00_one.ipynb is not readable as a notebook"]),
        (lambda path: path.write_text("[]"), ["00_one.ipynb is no notebook"]),
        (lambda path: path.write_text('{"cells": [{}]}'), ["00_one.ipynb: cell 1 is damaged"]),
        (error, ["00_one.ipynb: cell 3 holds an error, ValueError: no"]),
        (bad_formula, ["00_one.ipynb: the formula", "nosuch"]),
        (
            broken_links,
            [
                "2 dead links",
                "00_one.html: 07_missing.html: there is no such page",
                "00_one.html: #Nowhere: 00_one.html has no such heading",
            ],
        ),
    ],
)
def test_a_failed_build_names_the_cause_and_leaves_the_old_site(
    built, tmp_path, monkeypatch, capsys, break_it, words
):
    monkeypatch.chdir(tmp_path / "course")
    before = files(built)
    break_it(tmp_path / "course/nbs/00_one.ipynb")
    assert cli.main(["site", "--out", str(built)]) == 2
    said = capsys.readouterr().err
    assert all(w in said for w in words), said
    assert files(built) == before and sorted(p.name for p in tmp_path.iterdir()) == [
        "course",
        "out",
    ]


def test_the_command_replaces_its_own_site_only(tmp_path, monkeypatch, capsys):
    root = course(tmp_path)
    monkeypatch.chdir(root)
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "thesis.txt").write_text("ten years")
    assert (
        cli.main(["site", "--out", str(mine)]) == 2
        and "was not built by this command" in capsys.readouterr().err
    )
    assert (mine / "thesis.txt").read_text() == "ten years"
    assert (
        cli.main(["site", "--lang", "fr"]) == 2
        and "no language is called 'fr'" in capsys.readouterr().err
    )
    assert cli.main(["site"]) == 0 and "no dead link" in capsys.readouterr().out
    (root / "site" / "old.html").write_text("x")
    assert (
        cli.main(["site"]) == 0
        and not (root / "site" / "old.html").exists()
        and (root / "site" / "index.html").exists()
    )


def test_a_swap_that_fails_puts_the_old_site_back(built, tmp_path, monkeypatch):
    before, real = files(built), site.os.replace

    def replace(a, b):
        if "-old" not in str(a) + str(b):
            raise OSError("disk")
        real(a, b)

    monkeypatch.setattr(site.os, "replace", replace)
    with pytest.raises(OSError, match="disk"):
        site.build(tmp_path / "course", built)
    assert files(built) == before


def test_links_to_files_of_the_repository_are_looked_up(tmp_path):
    root = course(
        tmp_path, prose("[s](../settings.ini), [d](../data), [web](https://example.org/x)")
    )
    site.build(root, tmp_path / "out")
    page = read(tmp_path / "out", "00_one.html")
    assert (
        'href="https://github.com/someone/course/blob/main/settings.ini"' in page
        and "/tree/main/data" in page
    )
    root = course(tmp_path / "second", prose("[s](../no_such.ini)"))
    with pytest.raises(
        CourseError, match="00_one.html: .*no_such.ini: the repository has no such file"
    ):
        site.build(root, tmp_path / "out")


@pytest.mark.parametrize(
    "body,reason",
    [
        ('<a href="b.html">', "b.html: there is no such page"),
        ('<a href="#x">', "#x: a.html has no such heading"),
        ('<img src="p.png">', "p.png: there is no such page"),
        ('<img src="https://example.org/p.png">', "is fetched from elsewhere"),
        ('<script src="//example.org/x.js"></script>', "is fetched from elsewhere"),
        ('<p id="y"><p id="y">', "#y: the anchor stands twice"),
    ],
)
def test_each_kind_of_dead_link_is_found(tmp_path, body, reason):
    (tmp_path / "a.html").write_text(
        '<p id="ok"><a href="#ok"><a href="a.html#ok"><a href="https://example.org">',
        encoding="utf8",
    )
    assert dead_links(tmp_path) == []
    (tmp_path / "a.html").write_text(body, encoding="utf8")
    bad = dead_links(tmp_path)
    assert any(reason in line for line in bad) and all(line.startswith("a.html: ") for line in bad)


# Questions and exercises

CHOICE = dict(
    id="vqvae.c",
    kind="choice",
    covers=[],
    level="junior",
    question=dict(en="Which?", zh="哪个？"),
    answer=dict(en="Because.", zh="因为。"),
    right=dict(en="this", zh="这个"),
    wrong=[dict(en=f"w{k}", zh=f"错{k}", why=dict(en=f"not {k}", zh=f"不是{k}")) for k in range(3)],
    shown_in="05_vqvae#The model",
    sources=["van den Oord et al. 2017"],
)
NUMERIC = dict(
    id="vqvae.n",
    kind="numeric",
    covers=[],
    level="junior",
    question=dict(en="{K} codes?", zh="{K} 个码？"),
    answer=dict(en="{value} bits.", zh="{value} 比特。"),
    draw=dict(K=[256]),
    value="log2(K)",
    tolerance=0,
    unit=dict(en="bits", zh="比特"),
    shown_in="05_vqvae#The model",
    sources=["van den Oord et al. 2017"],
)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_questions_of_every_kind(lang):
    it = SimpleNamespace(render=text.Markdown())
    item = make_item(CHOICE, lang)
    page = sheets.question(it, item, 1, lang)
    asked, folded = page.split("<details>")
    assert all(f"<li>{o}</li>" in asked for o in item.options) and all(
        w not in asked for w in item.why if w
    )
    assert f"{sheets.WORDS[lang]['right']}: {'ABCD'[item.right]}" in folded and all(
        w in folded for w in item.why
    )
    asked, folded = sheets.question(it, make_item(NUMERIC, lang), 2, lang).split("<details>")
    assert "256" in asked and "<strong>8 " in folded and 'href="05_vqvae.html#The-model"' in folded


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    "The whole course as pages."
    out = tmp_path_factory.mktemp("site") / "site"
    site.build(ROOT, out)
    return out


@pytest.mark.slow
def test_the_whole_course_is_there(whole):
    from mmgen.exercises import all_exercises

    assert dead_links(whole, ROOT) == []
    for path in repo.notebooks(ROOT):
        page, topic = Page(read(whole, f"{path.stem}.html")), path.stem.partition("_")[2]
        assert len([s for s in page.sources if s.startswith("figures/")]) == len(
            text.figures(repo.read(path), path.stem)
        )
        if topic not in TOPICS:
            continue
        for file in (f"questions_{topic}.html", f"questions_{topic}.zh.html"):
            assert {q["id"] for q in load_questions(topic)} <= set(Page(read(whole, file)).ids)
        exercises = read(whole, f"exercises_{topic}.html")
        for id, ex in all_exercises().items():
            if not id.startswith(topic + "."):
                continue
            assert f'id="{id}"' in exercises
            lines = [
                line
                for line in ex.source().splitlines()
                if line.startswith("def reference") or line.strip().startswith("@wrong")
            ]
            assert not any(html.escape(line) in exercises for line in lines)


@pytest.mark.slow
def test_every_picture_says_something(whole):
    for path in whole.glob("*.html"):
        for tag in re.findall(r"<img [^>]*>", path.read_text(encoding="utf8")):
            alt = re.search(r'alt="([^"]*)"', tag)
            assert alt and 8 < len(alt[1]) <= 600, f"{path.name}: {tag[:120]}"


def test_a_section_holds_the_prose_of_its_later_cells():
    before, sections = site.split("goes on\n\n## A `new` one\nbegins")
    assert before == "goes on"
    assert sections == [["A-new-one", "A new one", 2, "begins"]]
