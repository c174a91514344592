"""Questions and exercises as HTML: pages of the site, and the backs of Anki's cards."""

import html
import re

from .prose import address, highlight, plain
from .checkout import CourseError, number, topic_of

LANGUAGES = {"en": "en", "zh": "zh-CN"}
WORDS = {
    "en": dict(
        questions="Interview questions",
        exercises="Exercises",
        oral="spoken",
        choice="choose",
        numeric="calculate",
        other="中文",
        fold="Answer",
        rubric="A full answer names",
        weak="A weak candidate says",
        refuted="Why that fails",
        follow="Follow-ups",
        shown="Shown in",
        sources="Sources",
        right="Right",
        lead="Answer first, the spoken ones aloud in two minutes each, then unfold.",
    ),
    "zh": dict(
        questions="面试题",
        exercises="练习",
        oral="口述",
        choice="选择",
        numeric="计算",
        other="English",
        fold="参考答案",
        rubric="完整回答应包含",
        weak="较弱的回答",
        refuted="问题在哪里",
        follow="追问",
        shown="见于",
        sources="出处",
        right="正确",
        lead="先作答，再展开：口述题请开口讲两分钟。",
    ),
}
LEVELS = {"zh": dict(screening="初筛", junior="初级", senior="高级", staff="专家")}


def question_page(site, stem, lang):
    "The questions of one topic in one language, answers folded."
    from .bank import BankError
    from .items import all_items

    topic, W, other = topic_of(stem), WORDS[lang], "zh" if lang == "en" else "en"
    try:
        items = all_items(topic, lang=lang, kinds=("oral", "choice", "numeric"))
    except BankError as e:
        raise CourseError(str(e)) from e
    title = f"{W['questions']}: {site.titles[stem]}"
    body = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="links"><a href="{stem}.html">{number(stem)}</a> · '
        f'<a href="{question_file(topic, other)}" lang="{LANGUAGES[other]}">{W["other"]}</a></p>',
        f"<p>{W['lead']}</p>",
    ]
    body += [question(site, item, n, lang) for n, item in enumerate(items, 1)]
    sections = [("", title, 1, "")] + [
        [i.id, i.id.split(".", 1)[1], 2, plain(i.text + " " + i.answer)] for i in items
    ]
    site.page(
        question_file(topic, lang),
        title,
        "\n".join(body),
        sections,
        lang,
        current=f"questions_{topic}",
        around=site.around(
            site.topics["questions"], stem, lambda s: question_file(topic_of(s), lang)
        ),
    )


def question_file(topic, lang) -> str:
    "File of a page of questions."
    return f"questions_{topic}.html" if lang == "en" else f"questions_{topic}.{lang}.html"


def question(site, item, n, lang) -> str:
    "One question of any kind."
    W, md = WORDS[lang], site.render
    level = LEVELS.get(lang, {}).get(item.level, item.level)
    name = html.escape(item.id.split(".", 1)[1])
    return (
        f'<article class="question"><h2 id="{html.escape(item.id)}"><span '
        f'class="num">{n}</span> {name} '
        f'<span class="level">{level} · {W[item.kind]}</span></h2><div '
        f'class="ask">{md(item.text)}</div>'
        f"{options(md, item)}<details><summary>{W['fold']}</summary>"
        f"{answer(md, item, W)}</details></article>"
    )


def options(md, item) -> str:
    "The options of a choice question as a list with letters; nothing for other kinds."
    return (
        '<ol class="options" type="A">'
        + "".join(f"<li>{md.inline(o)}</li>" for o in item.options)
        + "</ol>"
        if item.options
        else ""
    )


def answer(md, item, W, link=address) -> str:
    "All that is folded under a question; without `link` the section that shows it is named only."
    from .items import format_number

    def listed(tag, points):
        return f"<{tag}>" + "".join(f"<li>{md.inline(p)}</li>" for p in points) + f"</{tag}>"

    parts = []
    if item.options:
        letter = chr(65 + item.right)
        parts.append(f"<p><strong>{W['right']}: {letter}</strong></p><ul>")
        parts += [
            f"<li>{chr(65 + k)}: {md.inline(why)}</li>" for k, why in enumerate(item.why) if why
        ] + ["</ul>"]
    if item.kind == "numeric":
        parts.append(
            f"<p><strong>{format_number(item.value)} {html.escape(item.unit)}</strong></p>"
        )
    if item.rubric:
        parts.append(
            f"<h3>{W['rubric']}</h3>" + listed("ul", item.rubric) + f"<h3>{W['fold']}</h3>"
        )
    parts.append(md(item.answer))
    for key in ("weak", "refuted"):
        if getattr(item, key):
            parts.append(f"<p><em>{W[key]}:</em> {md.inline(getattr(item, key).strip())}</p>")
    if item.follow_ups:
        parts.append(f"<h3>{W['follow']}</h3>" + listed("ol", item.follow_ups))
    shown = html.escape(item.shown_in.replace("#", ": "))
    where = f'<a href="{link(item.shown_in)}">{shown}</a>' if link else shown
    parts.append(
        f'<p class="small">{W["shown"]} {where}. {W["sources"]}: '
        f"{md.inline('; '.join(map(str, item.sources)))}</p>"
    )
    return "\n".join(parts)


def exercise_page(site, stem):
    "The exercises of one topic: task and starter, hints folded, no solution."
    from ..exercises import all_exercises

    topic, md = topic_of(stem), site.render
    mine = {id: ex for id, ex in all_exercises().items() if id.startswith(topic + ".")}
    title = f"Exercises: {site.titles[stem]}"
    body = [
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="links"><a href="{stem}.html">{number(stem)}</a></p>',
        "<p>To have an answer judged, edit the starter in the notebook, or in any notebook "
        "after <code>from mmgen.exercises import "
        "check, hint, solution</code>, and run <code>check(id, answer)</code>.</p>",
    ]
    sections = [("", title, 1, "")]
    for n, (id, ex) in enumerate(mine.items(), 1):
        name, kind = (
            ex.__doc__.splitlines()[0],
            {"bug": "Find the bug: ", "answer": "", "write": ""}[ex.kind],
        )
        hints = "".join(
            f"<details><summary>Hint {k}</summary><p>{as_typed(h)}</p></details>"
            for k, h in enumerate(ex.hints, 1)
        )
        level = f"difficulty {ex.difficulty} of 5 · {ex.minutes} minutes"
        starter = (
            f'<pre class="code"><code>{highlight(ex.starter.strip() + chr(10))}</code></pre>'
            if ex.starter.strip()
            else ""
        )
        body.append(
            f'<article class="question"><h2 id="{id}"><span class="num">{n}</span> '
            f"{md.inline(kind + name)} "
            f'<span class="level">{level} · '
            f"<code>{id}</code></span></h2>{md(ex.task)}{starter}{hints}</article>"
        )
        sections.append([id, plain(name), 2, plain(ex.task)])
    site.page(
        f"exercises_{topic}.html",
        title,
        "\n".join(body),
        sections,
        current=f"exercises_{topic}",
        around=site.around(
            site.topics["exercises"], stem, lambda s: f"exercises_{topic_of(s)}.html"
        ),
    )


def as_typed(text) -> str:
    "A hint, which is plain text or code and no Markdown but for its `code`."
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
