"""A completion report that anybody can recompute: `make(report, export)` from an exported progress
file, `verify(report, export)`.

There is no server and no signature. The report says what the exported events add up to, and
carries their SHA-256; whoever is given both files can see that they belong together. It does not
prove who answered, or that nobody wrote the events by hand.
"""

import html
import json
import re
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

from ..exercises.exchange import canonical, read_export, write_text
from ..exercises.progress import COLUMNS, ProgressError, events

__all__ = ["figures", "make", "verify"]
TITLES = {
    "en": dict(
        title="Completion report",
        passed="Exercises passed",
        answered="Questions answered",
        first="First event",
        last="Last event",
        answers="Answers",
        score="Mean score of the last answers",
        sessions="Interview sessions",
        topic="Topic",
        note=(
            "Oral questions are graded by the learner. Recompute: mmgen progress --verify "
            "REPORT --from EXPORT"
        ),
    ),
    "zh": dict(
        title="学习完成报告",
        passed="通过的练习",
        answered="答过的题目",
        first="首次记录",
        last="最近记录",
        answers="作答次数",
        score="各题最近一次得分的平均",
        sessions="模拟面试次数",
        topic="主题",
        note="口头题由学习者自评。复核命令：mmgen progress --verify 报告 --from 导出文件",
    ),
}
STYLE = """body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif;
  max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { border-bottom: 1px solid #999; padding: .25rem .5rem; text-align: right }
th:first-child, td:first-child { text-align: left }
code { overflow-wrap: anywhere }
@media print { body { margin: 0; font-size: 11pt } tr { break-inside: avoid } }"""


def _day(at):
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _standing_passes(attempts):
    "Exercises whose last pass came after their last reset."
    passed = set()
    for _, _, exercise, outcome in attempts:
        if outcome == "passed":
            passed.add(exercise)
        if outcome == "reset":
            passed.discard(exercise)
    return passed


def figures(logs) -> dict:
    "What the events of an export (`read_export`) add up to; a flat dict of texts and numbers."
    attempts, reviews, sessions = logs["attempts"], logs["reviews"], logs["sessions"]
    times = sorted(row[1] for rows in logs.values() for row in rows)
    passed, last = _standing_passes(attempts), {r[2]: r[5] for r in reviews}
    found = {
        "first": _day(times[0]) if times else "",
        "last": _day(times[-1]) if times else "",
        "passed": len(passed),
        "answered": len(last),
        "answers": len(reviews),
        "score": round(sum(last.values()) / len(last), 4) if last else 0.0,
        "sessions": len(sessions),
    }
    by_topic = {
        "passed": Counter(e.split(".")[0] for e in passed),
        "answered": Counter(i.split(".")[0] for i in last),
    }
    for topic in sorted({*by_topic["passed"], *by_topic["answered"]}):
        scores = [s for i, s in last.items() if i.split(".")[0] == topic]
        found |= {
            f"{topic}: passed": by_topic["passed"][topic],
            f"{topic}: answered": len(scores),
            f"{topic}: score": round(sum(scores) / len(scores), 4) if scores else 0.0,
        }
    lines, digest = canonical(logs)
    return {**found, "events": len(lines), "sha256": digest}


def _shown(key, value):
    return f"{value:.0%}" if key.endswith("score") else html.escape(str(value))


def _cells(kind, values):
    return "<tr>" + "".join(f"<{kind}>{v}</{kind}>" for v in values) + "</tr>\n"


def _page(found, lang):
    "The report as one plain HTML page; the figures stand in it twice, for people and as data."
    say, columns = TITLES[lang], ("passed", "answered", "score")
    rows = "".join(
        _cells("td", (say[k], _shown(k, found[k])))
        for k in ("first", "last", *columns, "answers", "sessions")
    )
    topics = [key.removesuffix(": passed") for key in found if key.endswith(": passed")]
    table = _cells("th", [say[k] for k in ("topic", *columns)])
    table += "".join(
        _cells("td", [html.escape(t)] + [_shown(k, found[f"{t}: {k}"]) for k in columns])
        for t in topics
    )
    data = html.escape(json.dumps(found, ensure_ascii=False))
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">\n<title>mmgen · '
        f"{say['title']}</title>\n"
        f"<style>\n{STYLE}\n</style></head>\n<body>\n<h1>mmgen · "
        f"{say['title']}</h1>\n<table>\n{rows}</table>\n"
        f"<table>\n{table}</table>\n<p>{say['note']}</p>\n<p>SHA-256 ({found['events']}): "
        f"<code>{found['sha256']}</code></p>\n"
        f'<pre id="figures" hidden>{data}</pre>\n</body></html>\n'
    )


def make(report, export=None, lang="en") -> dict:
    """Write the report of an exported progress file, or of the learner's own as it is now; returns
    its figures.
    """
    if lang not in TITLES:
        raise ValueError(f"lang={lang!r}; expected one of {', '.join(TITLES)}")
    found = figures(read_export(export) if export else {table: events(table) for table in COLUMNS})
    write_text(report, _page(found, lang))
    return found


def verify(report, export) -> list:
    """What differs between a report and the export it is said to come from, one line each; an empty
    list if nothing does.
    """
    text = Path(report).read_text(encoding="utf8", errors="replace")
    match, lang = (
        re.search(r'<pre id="figures" hidden>(.*?)</pre>', text, re.S),
        re.search(r'<html lang="(\w+)">', text),
    )
    try:
        said = json.loads(html.unescape(match[1]))
        page = lang[1] if isinstance(said, dict) and lang[1] in TITLES else None
    except (TypeError, ValueError):
        page = None
    if page is None:
        raise ProgressError(f"{report} is not a completion report of mmgen")
    found = figures(read_export(export))
    differs = [
        f"{key}: the report says {said.get(key, 'nothing')!r}, the events give "
        f"{found.get(key, 'nothing')!r}"
        for key in {**found, **said}
        if said.get(key) != found.get(key)
    ]
    return differs or ["page: what the report shows is not what its figures give"] * (
        text != _page(found, page)
    )
