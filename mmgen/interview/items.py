"""What is asked, whatever its kind: `make_item(question)`, `exercise_item(id)`, `all_items()`, and
`judge(item, given)`.
"""

import functools
import hashlib
import json
import math
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from .arithmetic import CONSTANTS, FormulaError, evaluate
from .bank import LANGUAGES, LEVELS, NOTEBOOKS, all_questions, load_questions

__all__ = ["Item", "Grade", "make_item", "exercise_item", "all_items", "judge", "format_number"]
MINUTES = {
    "choice": 1.0,
    "numeric": 2.0,
    "screening": 2.0,
    "junior": 3.0,
    "senior": 4.0,
    "staff": 5.0,
}  # an oral question by its level
LEVEL_OF = {
    1: "screening",
    2: "junior",
    3: "senior",
    4: "staff",
    5: "staff",
}  # an exercise by its difficulty
ALL_KINDS = ("oral", "choice", "numeric", "code")


@dataclass(frozen=True)
class Item:
    """One thing that is asked, in one language, with its numbers drawn and its options shuffled;
    texts are Markdown.
    """

    id: str
    kind: str
    topic: str
    level: str
    minutes: float
    text: str
    answer: str
    rubric: tuple = ()
    options: tuple = ()
    right: int = 0  # `right` is an index of `options`
    value: float = 0.0
    tolerance: float = 0.0
    unit: str = ""
    why: tuple = ()  # per option, "" for the right one
    weak: str = ""
    refuted: str = ""
    follow_ups: tuple = ()
    shown_in: str = ""
    sources: tuple = ()
    lang: str = "en"


@dataclass(frozen=True)
class Grade:
    "Score in [0, 1] and what to say to the learner."

    score: float
    message: str = ""


def stable_number(*key):
    """A large whole number that depends on `key` only: the same in every process and on every
    machine.
    """
    return int.from_bytes(hashlib.sha256("/".join(map(str, key)).encode()).digest()[:8], "big")


def format_number(value) -> str:
    "A number for a text: whole ones whole, others with four significant digits."
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.4g}"
    return f"{float(text):.0f}" if "e" in text and 1 <= abs(value) < 1e7 else text


def _numeric(q, lang, seed):
    """Draw the numbers of a numeric question: fields of its item, and a function that puts the
    numbers into a text.
    """
    drawn = {
        name: numbers[stable_number(q["id"], seed, name) % len(numbers)]
        for name, numbers in q["draw"].items()
    }
    value = evaluate(q["value"], drawn)
    shown = {name: format_number(v) for name, v in {**drawn, "value": value}.items()}
    return dict(
        value=value, tolerance=q["tolerance"], unit=q["unit"][lang]
    ), lambda text: text.format(**shown)


def _choice(q, lang, seed):
    options = [(q["right"][lang], "")] + [(w[lang], w["why"][lang]) for w in q["wrong"]]
    order = sorted(range(len(options)), key=lambda i: stable_number(q["id"], seed, i))
    return dict(
        options=tuple(options[i][0] for i in order),
        why=tuple(options[i][1] for i in order),
        right=order.index(0),
    )


def make_item(question, lang="en", seed=0) -> Item:
    "The item of a bank entry; what is drawn and shuffled depends on (id, seed) only."
    if lang not in LANGUAGES:
        raise ValueError(f"lang={lang!r}; expected one of {', '.join(LANGUAGES)}")
    q, kind, fields, put = question, question.get("kind", "oral"), {}, lambda text: text
    if kind == "numeric":
        fields, put = _numeric(q, lang, seed)
    if kind == "choice":
        fields = _choice(q, lang, seed)

    def text(name):
        return put(q.get(name, {}).get(lang, "")).strip()

    def texts(name):
        return tuple(put(t).strip() for t in q.get(name, {}).get(lang, ()))

    minutes = MINUTES.get(kind) or MINUTES[q["level"]]
    return Item(
        q["id"],
        kind,
        q["id"].split(".")[0],
        q["level"],
        minutes,
        text("question"),
        text("answer"),
        rubric=texts("rubric"),
        weak=text("weak"),
        refuted=text("refuted"),
        follow_ups=texts("follow_ups"),
        shown_in=q["shown_in"],
        sources=tuple(q["sources"]),
        lang=lang,
        **fields,
    )


@functools.cache
def _places():
    "Id of an exercise -> NOTEBOOK#Heading where it stands."
    file = Path(__file__).parents[1] / "exercises" / "places.json"
    return json.loads(file.read_text(encoding="utf8"))


def exercise_item(id, lang="en") -> Item:
    "The item of an exercise: kind 'code', its level from its difficulty."
    from ..exercises import exercise

    ex, topic = exercise(id), id.split(".")[0]

    def code(source):
        return f"```python\n{source.strip()}\n```"

    text = f"**{ex.__doc__.splitlines()[0]}**\n\n{ex.task.strip()}\n\n{code(ex.starter)}"
    return Item(
        id,
        "code",
        topic,
        LEVEL_OF[ex.difficulty],
        float(ex.minutes),
        text,
        code(ex.source()),
        shown_in=_places().get(id, ""),
        lang=lang,
    )


def all_items(topic=None, level=None, lang="en", kinds=None, seed=0) -> list:
    "Items of the bank and the exercises, in the order of the notebooks; `None` takes all."
    for name, value, allowed in (
        ("topic", topic, NOTEBOOKS),
        ("level", level, LEVELS),
        ("lang", lang, LANGUAGES),
    ):
        if value not in (None, *allowed):
            raise ValueError(f"{name}={value!r}; expected one of {', '.join(allowed)}")
    kinds = ALL_KINDS if kinds is None else (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if unknown := set(kinds) - set(ALL_KINDS):
        raise ValueError(f"kinds={min(unknown)!r}; expected some of {', '.join(ALL_KINDS)}")
    bank = load_questions(topic) if topic else all_questions()
    items = [make_item(q, lang, seed) for q in bank if q["kind"] in kinds]
    if "code" in kinds:  # only then is torch needed
        from ..exercises import all_exercises

        items += [
            exercise_item(id, lang) for id in all_exercises() if topic in (None, id.split(".")[0])
        ]
    order = list(NOTEBOOKS)
    return [
        i for i in sorted(items, key=lambda i: order.index(i.topic)) if level in (None, i.level)
    ]


SAY = {
    "en": dict(
        right="right",
        answer="the answer is {}",
        off="{} is off by {:.2g} %",
        factor="{} is off by exactly {}: {}?",
        unit="the answer is wanted in {}, not in {}",
        named="{} of {} points",
        unread="{!r} is not a number; expected for instance 392, 1e-3, 1/3 or 2^10",
    ),
    "zh": dict(
        right="正确",
        answer="答案是 {}",
        off="{} 偏差 {:.2g} %",
        factor="{} 恰好差 {} 倍：{}？",
        unit="答案的单位应为 {}，而不是 {}",
        named="{} / {} 个要点",
        unread="{!r} 不是数；可以写 392、1e-3、1/3 或 2^10",
    ),
}
FACTORS = [
    (2.0, "2", "a factor of two, counted twice or left out", "多算或漏算了一个因子 2"),
    (8.0, "8", "bits and bytes", "比特与字节"),
    (10.0, "10", "the decimal point", "小数点"),
    (100.0, "100", "a share and per cent", "比例与百分数"),
    (math.log(2), "ln 2", "log2 and ln", "log2 与 ln"),
    (math.log(10), "ln 10", "log10 and ln", "log10 与 ln"),
    (math.log2(10), "log2 10", "log10 and log2", "log10 与 log2"),
    (1000.0, "1000", "thousands", "千倍的单位"),
    (1024.0, "1024", "the unit prefix", "单位前缀"),
    (1e6, "1e6", "the unit", "单位"),
    (1e9, "1e9", "the unit", "单位"),
    (-1.0, "-1", "the sign", "符号"),
]
_UNITS = {
    "bits": "bit",
    "比特": "bit",
    "bytes": "byte",
    "字节": "byte",
    "nats": "nat",
    "奈特": "nat",
    "percent": "%",
    "per cent": "%",
    "seconds": "s",
    "秒": "s",
    "毫秒": "ms",
    "minutes": "min",
    "分钟": "min",
    "hours": "h",
    "小时": "h",
    "days": "day",
    "天": "day",
    "百万": "million",
    "十亿": "billion",
    "千次": "thousand",
    "千": "thousand",
}
_SIZES = {
    "bit": ("bits", 1.0),
    "nat": ("bits", 1 / math.log(2)),
    "byte": ("bits", 8.0),
    "ms": ("time", 1e-3),
    "s": ("time", 1.0),
    "min": ("time", 60.0),
    "h": ("time", 3600.0),
    "day": ("time", 86400.0),
    "thousand": ("count", 1e3),
    "million": ("count", 1e6),
    "billion": ("count", 1e9),
}  # unit -> what it measures, and how much
_SIZES |= {
    f"{p}{b}": ("bits", 8.0 * k**n)
    for b, k in (("b", 1000), ("ib", 1024))
    for n, p in enumerate("kmgt", 1)
}
_UNITS |= {u: u for u in ("%", *_SIZES)}

_SIGNS = str.maketrans({"−": "-", "×": "*", "⁄": "/", "^": "**"})


def read_number(text, lang="en"):
    """A typed number as (value, unit): `1e-3`, `1/3`, `1,024`, `2^10`, `3.2 %`, `about 392 bits`;
    ValueError if there is none.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text), ""
    clean = unicodedata.normalize("NFKC", str(text)).strip().translate(_SIGNS).lstrip("≈~=$ ")
    clean = re.sub(r"(?<=\d)[,_ ](?=\d{3}(?!\d))", "", clean)
    clean = re.sub(r"^about\s+|^约\s*", "", clean, flags=re.I)
    match = re.fullmatch(
        r"(.*?[\d.)ei])\s*(%|per cent|[^\W\d]+(?:[ /][^\W\d]+)*|)\.?", clean, flags=re.S
    )
    for number, unit in [(clean, "")] + ([match.groups()] if match else []):
        if unit in CONSTANTS:
            continue  # "2 pi" lacks its *
        try:
            return float(evaluate(number)), unit
        except FormulaError:
            pass
    raise ValueError(SAY[lang]["unread"].format(str(text).strip()))


def _off(given, item, say):
    "How far off a wrong number is, and the usual reason if the factor is a known one."
    close = min(max(item.tolerance, 1e-3), 0.01)
    for factor, name, en, zh in FACTORS:
        for f, n in ((factor, name), (1 / factor, f"1/{name}")):
            if item.value and math.isclose(given, item.value * f, rel_tol=close):
                return say["factor"].format(
                    format_number(given), n, zh if item.lang == "zh" else en
                )
    if not item.value:
        return ""
    return say["off"].format(format_number(given), abs(given / item.value - 1) * 100)


def _close(value, item):
    "Whether a number is the item's, within its tolerance."
    return math.isclose(
        value,
        item.value,
        rel_tol=max(item.tolerance, 1e-9),
        abs_tol=0.0 if item.value else max(item.tolerance, 1e-9),
    )


def _judge_number(item, given):
    say, (value, unit) = SAY[item.lang], read_number(given, item.lang)
    known, wanted = _UNITS.get(unit.lower()), _UNITS.get(item.unit.lower())
    expected = say["answer"].format(f"{format_number(item.value)} {item.unit}".strip())
    if known == "%" and wanted != "%":
        value /= 100
    elif known and wanted and known != wanted:
        (kind, size), (other, wanted_size) = (_SIZES.get(u, (u, 1.0)) for u in (known, wanted))
        if kind != other or not _close(value * size / wanted_size, item):
            return Grade(0.0, f"{say['unit'].format(item.unit, unit)}; {expected}")
        value *= size / wanted_size
    if _close(value, item):
        return Grade(1.0, f"{say['right']}: {format_number(item.value)} {item.unit}".strip())
    return Grade(0.0, "; ".join(filter(None, (_off(value, item, say), expected))))


def judge(item, given) -> Grade:
    """Judge an answer: oral the indices of the points that were named, choice the index, numeric a
    number or text, code a `Result`.
    """
    if item.kind == "numeric":
        return _judge_number(item, given)
    if item.kind == "code":
        return Grade(float(given.outcome == "passed"), given.message or given.outcome)
    limit = len(item.rubric if item.kind == "oral" else item.options)
    indices = set(given) if item.kind == "oral" else {given}
    if bad := [
        i for i in indices if isinstance(i, bool) or not isinstance(i, int) or not 0 <= i < limit
    ]:
        raise ValueError(
            f"given has {bad[0]!r}; {item.id} has {limit} of them, numbered 0 to {limit - 1}"
        )
    if item.kind == "oral":
        return Grade(len(indices) / limit, SAY[item.lang]["named"].format(len(indices), limit))
    if given == item.right:
        return Grade(1.0, SAY[item.lang]["right"])
    return Grade(0.0, item.why[given])
