"""The report of a mock interview as one page, `report_html(state)`; its figures are those of
`mmgen.interview.summary`.

The page is one file without scripts; it prints on A4, in black and white too. What the learner
typed is escaped.
"""

import html
import math
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from .mock import GOOD, as_item
from .summary import summary

__all__ = ["report_part", "report_html", "write_report", "study_link"]
KINDS = ("oral", "choice", "numeric", "code")
FONTS = (
    'system-ui, "Segoe UI", "Noto Sans", Helvetica, Arial, "PingFang SC", "Hiragino Sans GB", '
    '"Microsoft YaHei", '
    '"Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei", sans-serif'
)
_WORDS = {
    "title": ("Mock interview", "模拟面试"),
    "role": ("role", "岗位"),
    "level": ("level", "级别"),
    "minutes": ("min", "分钟"),
    "used": ("used", "用时"),
    "overall": ("Overall", "总分"),
    "topic": ("Topic", "主题"),
    "kind": ("Kind", "题型"),
    "share": ("Score", "得分"),
    "asked": ("Questions", "题数"),
    "time": ("Time", "时间"),
    "strengths": ("Strengths", "强项"),
    "gaps": ("Gaps", "缺口"),
    "missed": ("not named", "未提到"),
    "plan": ("Study plan", "复习计划"),
    "questions": ("Question by question", "逐题回顾"),
    "given": ("Your answer", "你的回答"),
    "model": ("Model answer", "参考答案"),
    "named": ("named", "已提到"),
    "none": ("(nothing was written)", "（没有写下内容）"),
    "unknown": ("“I do not know”", "“不知道”"),
    "over": ("over time by {} s", "超时 {} 秒"),
    "points": ("points of the interview that were lost here", "在此处丢掉的面试分数（百分点）"),
    "oral": ("spoken", "口述"),
    "choice": ("choice", "选择"),
    "numeric": ("number", "数值"),
    "code": ("code", "代码"),
    "opening": ("opening", "开场"),
    "planned": ("planned", "计划内"),
    "easier": ("easier", "降低难度"),
    "depth": ("follow-up {}", "追问 {}"),
    "own": ("own marks", "自评"),
    "no_gaps": ("None that cost a point.", "没有丢分。"),
    "no_strengths": ("No topic reached {:.0%} yet.", "还没有主题达到 {:.0%}。"),
    "skipped": ("Not reached for lack of time:", "时间不够、没有问到："),
    "gain": ("lost", "丢分"),
    "read": ("Read again", "重读"),
    "do": ("Redo the exercise", "重做练习"),
    "weak": ("What a weak candidate says", "常见的弱回答"),
    "refuted": ("Why that fails", "为什么站不住"),
    "sources": ("Sources", "文献"),
    "shown": ("Shown in", "出处"),
    "unfinished": ("This session is not finished.", "这次面试还没有结束。"),
    "honest": (
        "Spoken answers and follow-ups carry the learner's own marks, given after the rubric "
        "was shown; numbers, choices "
        "and code were judged by a program. The overall score is that of the planned "
        "questions, each weighted by its "
        "minutes; easier questions count for their topic only, follow-ups for no score: they "
        "come only after a good "
        "answer. Running over costs the share of the time that was too much, at most half of a "
        "score.",
        "口述题和追问的分数是看过评分要点之后自己打的；数值、选择和代码由程序判定。总分只计计划内的题，按各题分钟数加权；"
        "降低难度的题只计入主题得分；追问不计分，因为答得好才会有追问。超时按超出的比例扣分，最多扣掉一半。",
    ),
    "deep": ("Follow-ups answered well", "答得好的追问"),
    "fonts": (
        "If the Chinese below shows as boxes, install a Chinese font, for instance Noto Sans CJK.",
        "If the Chinese below shows as boxes, install a Chinese font, for instance Noto Sans CJK.",
    ),
    "overall_note": ("{} of {} planned questions answered", "计划内 {1} 题，答了 {0} 题"),
}
WORDS = {lang: {k: pair[i] for k, pair in _WORDS.items()} for i, lang in enumerate(("en", "zh"))}
CSS = """
.mmgen-report { font: 16px/1.5 FONTS; color: #111; background: #fff; color-scheme: light; overflow-wrap: anywhere; padding: 1rem }
.mmgen-report * { box-sizing: border-box } .mmgen-report h1 { font-size: 1.6rem; margin: .2em 0 } .mmgen-report h3 { margin: 0 0 .3em }
.mmgen-report h2 { font-size: 1.2rem; margin: 1.6em 0 .4em; border-bottom: 2px solid #111 } .mmgen-report h3 { font-size: 1rem }
.mmgen-report table { border-collapse: collapse; width: 100%; margin-bottom: 1em } .mmgen-report li { margin: .15em 0 }
.mmgen-report th, .mmgen-report td { text-align: left; padding: .25em .5em; border-bottom: 1px solid #999; vertical-align: top }
.mmgen-report td.n, .mmgen-report th.n { text-align: right; white-space: nowrap } .mmgen-report a { color: #063f8c }
.mmgen-report .big { font-size: 2rem; font-weight: 700 } .mmgen-report .small { font-size: .85rem; color: #333 }
.mmgen-report .bar { display: inline-block; width: 4.5rem; height: .8em; border: 1px solid #111; vertical-align: middle }
.mmgen-report .bar i { display: block; height: 100%; background: #555; print-color-adjust: exact; -webkit-print-color-adjust: exact }
.mmgen-report .q { border: 1px solid #777; padding: .7em; margin: .8em 0; break-inside: avoid } .mmgen-report .q.deep { margin-left: 1.5em }
.mmgen-report .given { white-space: pre-wrap; border-left: 4px solid #111; padding-left: .6em; margin: .4em 0 }
.mmgen-report pre { white-space: pre-wrap; background: #f2f2f2; padding: .5em; font-size: .85rem } .mmgen-report .print { display: none }
.mmgen-report summary { cursor: pointer; font-weight: 600 }
@media print { .mmgen-report { font-size: 10.5pt; padding: 0 } .mmgen-report details { display: none }
  .mmgen-report .print { display: block } .mmgen-report a { color: #111 } }
""".replace("FONTS", FONTS)
PAGE = (
    "body { max-width: 46rem; margin: 0 auto } @page { size: A4; margin: 16mm } @media "
    "print { body { max-width: none } }"
)


def default_base() -> str:
    """Where the notebooks can be read: the repository that settings.ini names;  before it names one,
    which means beside the page.
    """
    import configparser

    package = Path(__file__).resolve().parents[1]
    settings = configparser.ConfigParser()
    settings.read(
        [
            p
            for p in (package / "_data" / "settings.ini", package.parent / "settings.ini")
            if p.exists()
        ],
        encoding="utf8",
    )
    place = settings["repository"] if "repository" in settings else {}
    if not place.get("owner"):
        return ""
    return f"https://github.com/{place['owner']}/{place['name']}/blob/{place['branch']}/nbs/"


def study_link(place, base_url=None, suffix=".ipynb") -> str:
    """Address of NOTEBOOK#Heading; `base_url` is the folder of the notebooks, '' beside them,
    `suffix` .html for the static site.
    """
    notebook, _, heading = place.partition("#")
    base = default_base() if base_url is None else base_url
    anchor = re.sub(r"\s", "-", re.sub(r"[`*$]", "", heading.strip()))  # as JupyterLab makes it
    return f"{base}{notebook}{suffix}" + (f"#{quote(anchor)}" if anchor else "")


def _mathml(text):
    try:
        from latex2mathml.converter import convert
    except ImportError:
        return None
    if re.search(r"\\(href|style|class|cssId|url)(?![A-Za-z])", text):
        return None  # an address or a style in a formula could do what the text may not
    try:
        return convert(text)
    except Exception:
        return None


def rich(text) -> str:
    """Markdown of the bank as HTML; tags in it are escaped, formulas between dollars become MathML
    where that is possible.
    """
    from markdown_it import MarkdownIt

    formulas = []

    def take(m):
        made = _mathml(m[2])
        formulas.append(made or f"<code>{html.escape(m[2])}</code>")
        return f"\x02{len(formulas) - 1}\x03"

    parts = re.split(r"(```.*?```|`[^`\n]*`)", text, flags=re.S)
    kept = [
        p if i % 2 else re.sub(r"(\$\$?)(?=\S)([^$]*?\S)\1(?!\d)", take, p)
        for i, p in enumerate(parts)
    ]
    page = MarkdownIt("commonmark", {"html": False}).render("".join(kept))
    return re.sub("\x02(\\d+)\x03", lambda m: formulas[int(m[1])], page)


def no_chinese_font() -> bool:
    "Whether this machine probably lacks a Chinese font; only Linux can be asked, others have one."
    if not sys.platform.startswith("linux") or not shutil.which("fc-list"):
        return False
    return not subprocess.run(
        ["fc-list", ":lang=zh"], capture_output=True, text=True
    ).stdout.strip()


def _table(head, groups, w, names):
    rows = [
        f"<tr><th>{w[head]}</th><th class=n>{w['share']}</th><th></th>"
        f"<th class=n>{w['asked']}</th><th class=n>{w['time']}</th></tr>"
    ]
    for name, g in groups.items():
        bar = f"<span class=bar><i style='width:{g['score']:.0%}'></i></span>"
        rows.append(
            f"<tr><td>{html.escape(names.get(name, name))}</td><td "
            f"class=n>{g['score']:.0%}</td><td>{bar}</td>"
            f"<td class=n>{g['n']}</td><td class=n>{_clock(g['seconds'])}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _answer(t, w):
    "The learner's answer as escaped HTML."
    item, given = t["item"], t["given"]
    if given is None:
        text = w["unknown"]
    elif item["kind"] == "choice" and t["why"] != "follow-up":
        text = item["options"][given]
    else:
        text = str(given).strip() or w["none"]
    return html.escape(text)


def _model(item, w, link):
    "What unfolds: the model answer, the misconception, where it is shown."
    parts = [rich(item.answer)]
    if item.weak:
        parts.append(
            f"<p><b>{w['weak']}:</b></p>{rich(item.weak)}<p><b>{w['refuted']}:</b></p>{rich(item.refuted)}"
        )
    target, place = html.escape(link(item.shown_in)), html.escape(item.shown_in.replace("#", " › "))
    if item.shown_in:
        parts.append(f"<p class=small>{w['shown']}: <a href='{target}'>{place}</a></p>")
    if item.sources:
        parts.append(f"<p class=small>{w['sources']}: {html.escape('; '.join(item.sources))}</p>")
    return "".join(parts)


def _question(n, t, w, link):
    "One question of the report."
    item, deep = as_item(t["item"]), t["why"] == "follow-up"
    label = w["depth"].format(t["depth"]) if deep else w[t["why"]]
    late = t["seconds"] - t["minutes"] * 60
    grade = f"{t['score']:.0%}" + (f" ({w['own']})" if deep or item.kind == "oral" else "")
    where = " · ".join(
        [label, html.escape(item.topic), html.escape(item.level), w["oral" if deep else item.kind]]
    )
    head = (
        f"<p class=small>{where} · {_clock(t['seconds'])} / {_clock(t['minutes'] * 60)}"
        + (f" · <b>{w['over'].format(math.ceil(late))}</b>" if late > 0 else "")
        + "</p>"
    )
    body = [
        f"<section class='q{' deep' if deep else ''}'>{head}<h3>{n}. {grade}</h3>{rich(t['text'])}",
        f"<p class=small>{w['given']}</p><div class=given>{_answer(t, w)}</div>",
    ]
    if not deep:
        if item.kind == "oral":
            marks = "".join(
                f"<li>{'☑' if i in t['points'] else '☐'} {html.escape(p)}</li>"
                for i, p in enumerate(item.rubric)
            )
            body.append(f"<ul style='list-style:none;padding-left:.3em'>{marks}</ul>")
        elif t["message"]:
            body.append(f"<pre>{html.escape(t['message'])}</pre>")
        model = _model(item, w, link)
        body.append(
            f"<details><summary>{w['model']}</summary>{model}</details><div "
            f"class=print><b>{w['model']}</b>{model}</div>"
        )
    return "".join(body) + "</section>"


def _findings(s, w):
    "Strengths and gaps."
    strong = "".join(
        f"<li>{html.escape(n)}: {s['topics'][n]['score']:.0%}</li>" for n in s["strengths"]
    )
    strong = f"<ul>{strong}</ul>" if strong else f"<p>{w['no_strengths'].format(GOOD)}</p>"
    parts = [f"<h2>{w['strengths']}</h2>", strong, f"<h2>{w['gaps']}</h2>"]
    for g in s["gaps"]:
        missed = "".join(f"<li>{w['missed']}: {html.escape(p)}</li>" for p in g["missed"])
        said = (
            f"<div>{rich(g['said']) if g['missed'] else '<pre>' + html.escape(g['said']) + '</pre>'}</div>"
            if g["said"]
            else ""
        )
        parts.append(
            f"<p><b>{html.escape(g['topic'])}</b> · {html.escape(g['id'])} · "
            f"{g['score']:.0%}</p><ul>{missed}</ul>{said}"
        )
    return "".join(parts) + ("" if s["gaps"] else f"<p>{w['no_gaps']}</p>")


def _study(s, w, link):
    rows = [
        f"<tr><th></th><th></th><th class=n>{w['minutes']}</th><th class=n>{w['gain']}</th></tr>"
    ]
    for n, step in enumerate(s["plan"], 1):
        what, place = (w["do"], step["id"]) if step["exercise"] else (w["read"], step["place"])
        target = link(step["place"]) if step["place"] else ""
        shown = (
            f"<a href='{html.escape(target)}'>{html.escape(place.replace('#', ' › '))}</a>"
            if target
            else html.escape(place)
        )
        rows.append(
            f"<tr><td>{n}</td><td>{what}: {shown}<br><span "
            f"class=small>{html.escape(step['topic'])}</span></td>"
            f"<td class=n>{step['minutes']}</td><td class=n>{step['lost']:.1f}</td></tr>"
        )
    return (
        f"<h2>{w['plan']}</h2><table>{''.join(rows)}</table><p class=small>{w['gain']}: "
        f"{w['points']}.</p>"
        if s["plan"]
        else ""
    )


def report_part(state, base_url=None, suffix=".ipynb") -> str:
    """The report as a part of a page, with its style. `base_url` and `suffix` say where the
    notebooks are, see `study_link`.
    """
    w, s, lang = WORDS[state["lang"]], summary(state), state["lang"]

    def link(place):
        return study_link(place, base_url, suffix)

    day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(state["started"]))
    overall = "–" if math.isnan(s["overall"]) else f"{s['overall']:.0%}"
    head = (
        f"<h1>{w['title']}</h1><p class=small>{day} · {w['role']}: "
        f"{html.escape(state['role'])} · {w['level']}: "
        f"{html.escape(state['level'])} · {state['minutes']:.0f} {w['minutes']}, "
        f"{w['used']} {s['used']:.0f} · seed {int(state['seed'])}</p>"
        f"<p>{w['overall']}: <span class=big>{overall}</span> · "
        f"{w['overall_note'].format(s['answered'], s['of'])} · "
        f"{w['deep']}: {s['deep'][0]} / {s['deep'][1]}</p>"
    )
    notes = [f"<p class=small>{w['honest']}</p>"]
    if state["finished"] is None:
        notes.insert(0, f"<p><b>{w['unfinished']}</b></p>")
    if state["skipped"]:
        notes.append(f"<p>{w['skipped']} {html.escape(', '.join(state['skipped']))}</p>")
    if lang == "zh" and no_chinese_font():
        notes.insert(0, f"<p><b>{w['fonts']}</b></p>")
    kinds = {k: s["kinds"][k] for k in KINDS if k in s["kinds"]}
    body = "".join(
        [
            head,
            *notes,
            _table("topic", s["topics"], w, {}),
            _table("kind", kinds, w, w),
            _study(s, w, link),
            _findings(s, w),
            f"<h2>{w['questions']}</h2>",
            *(_question(n, t, w, link) for n, t in enumerate(state["turns"], 1)),
        ]
    )
    return (
        f"<style>{CSS}</style><main class='mmgen-report' "
        f"lang='{'zh-CN' if lang == 'zh' else 'en'}'>{body}</main>"
    )


def report_html(state, base_url=None, suffix=".ipynb") -> str:
    "The report as a whole page, which stands alone and prints."
    title = (
        f"{WORDS[state['lang']]['title']} "
        f"{time.strftime('%Y-%m-%d', time.gmtime(state['started']))}"
    )
    return (
        f"<!doctype html><html lang='{'zh-CN' if state['lang'] == 'zh' else 'en'}'><head><meta "
        "charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{title}</title><style>{PAGE}</style></head><body>{report_part(state, base_url, suffix)}</body></html>\n"
    )


def write_report(state, path, base_url=None, suffix=".ipynb") -> Path:
    "Write the report whole or not at all; the path."
    from ..exercises.exchange import write_text

    write_text(path, report_html(state, base_url, suffix))
    return Path(path)
