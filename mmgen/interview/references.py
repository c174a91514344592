"""The bibliography, `data/references.yaml`: every work that the course cites. Citations in texts
are found and resolved against it.
"""

import difflib
import functools
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from .checkout import CourseError

FIELDS = dict(
    key=str,
    title=str,
    authors=list,
    year=int,
    short=str,
    topic=str,
    venue=str,
    arxiv=str,
    doi=str,
    url=str,
)
REQUIRED, PLACES = ("key", "title", "authors", "year"), ("venue", "arxiv", "doi", "url")
FORMS = {
    "key": r"[a-z]+\d{4}[a-z]?",
    "arxiv": r"\d{4}\.\d{4,5}",
    "doi": r"10\.\d{4,9}/\S+",
    "url": r"https://\S+",
}
OTHERS = "others"  # [Ho, others]: more than three authors


def fold(text) -> str:
    "Text for comparing: lower case, without accents and punctuation, single spaces."
    plain = (
        "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        .casefold()
        .replace("ł", "l")
    )
    return " ".join(re.findall(r"[^\W_]+", re.sub("['’]", "", plain)))


# The file


def stem(entry) -> str:
    """What the key of an entry begins with: last word of the first author's name, and the year:
    oord2017.
    """
    return fold(entry["authors"][0].split()[-1]).replace(" ", "") + str(entry["year"])


def form_problems(e):
    "Problems of the form of one entry, as (field, text)."
    for field in REQUIRED:
        if field not in e:
            yield field, "is missing"
    for field, value in e.items():
        kind = FIELDS.get(field)
        if kind is None:
            yield field, f"is not a field; expected some of {', '.join(FIELDS)}"
        elif type(value) is not kind:
            yield field, f"is {value!r}, a {type(value).__name__}; expected a {kind.__name__}"
        elif not value:
            yield field, "is empty"
        elif field in FORMS and not re.fullmatch(FORMS[field], value):
            yield field, f"is {value!r}; expected the form {FORMS[field]}"
    if not set(PLACES) & set(e):
        yield "venue", f"is missing; expected one of {', '.join(PLACES)}"


def value_problems(e):
    "Problems of the values of one entry that has the form, as (field, text)."
    names, years = e["authors"], []
    if not all(isinstance(n, str) and n.strip() for n in names):
        yield "authors", f"is {names}; expected family names"
    elif OTHERS in names and (len(names) != 2 or names[0] == OTHERS):
        yield "authors", f"is {names}; expected [First, {OTHERS}]"
    elif len(names) > 3:
        yield (
            "authors",
            f"has {len(names)} names; expected at most three, or [{names[0]}, {OTHERS}]",
        )
    elif not re.fullmatch(stem(e) + "[a-z]?", e["key"]):
        yield "key", f"is {e['key']!r}; expected {stem(e)}, or that and a letter"
    if found := re.search(r"\b(?:1[789]|20)\d\d$", e.get("venue", "")):
        years.append(int(found[0]))
    if "arxiv" in e:
        years.append(2000 + int(e["arxiv"][:2]))
    if years and e["year"] not in years:
        yield "year", f"is {e['year']}; venue and arxiv say {' and '.join(map(str, years))}"


def list_problems(entries):
    """Problems between entries, as (key, field, text): what stands twice, and letters that do not
    run a, b, c.
    """
    for field in ("key", "title", "arxiv", "doi"):
        seen = {}
        for e in entries:
            value = fold(e.get(field, ""))
            if value in seen:
                yield e["key"], field, f"is that of {seen[value]} too"
            elif value:
                seen[value] = e["key"]
    groups = {}
    for e in entries:
        groups.setdefault(stem(e), []).append(e["key"])
    for start, keys in groups.items():
        right = [start + letter for letter in "abcdefgh"[: len(keys)]] if len(keys) > 1 else [start]
        if sorted(keys) != right:
            yield (
                keys[0],
                "key",
                f"expected {', '.join(right)} where {', '.join(sorted(keys))} stands",
            )


def check_references(entries, file):
    """Raise CourseError with file, entry and field at the first entry that breaks the form; return
    the entries.
    """
    if not isinstance(entries, list):
        raise CourseError(f"{file}: is a {type(entries).__name__}; expected a list of entries")
    for e in entries:
        if not isinstance(e, dict):
            raise CourseError(f"{file}: {e!r}: expected a mapping with {', '.join(REQUIRED)}")
        for field, problem in list(form_problems(e)) or value_problems(e):
            raise CourseError(f"{file}: {e.get('key', '(no key)')}: {field}: {problem}")
    for key, field, problem in list_problems(entries):
        raise CourseError(f"{file}: {key}: {field}: {problem}")
    return entries


@functools.lru_cache(maxsize=4)
def read(path, changed):
    """The checked entries of a file; `changed` is the time of its last change, so that an edited
    file is read again.
    """
    import yaml

    try:
        entries = yaml.load(
            path.read_text(encoding="utf8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
    except yaml.YAMLError as e:
        raise CourseError(f"{path.name}: not readable as YAML: {e}") from e
    return check_references(entries, path.name)


def bibliography(root=None) -> list:
    """The checked entries of `data/references.yaml`, dicts, in the checkout `root`; of the embedded
    file where none is given.
    """
    if root:
        path = Path(root) / "data" / "references.yaml"
    else:
        from ..core import data_path

        path = data_path("references.yaml")
    if not path.is_file():
        raise CourseError(
            "data/references.yaml is missing; every work that the course cites stands in it"
        )
    return read(path, path.stat().st_mtime_ns)


# Citations in a text

CJK = "\u4e00-\u9fff"
CAPITAL, LETTER = "A-ZÀ-ÖØ-ÞĆČĐŁŃŚŠŹŻŽ", rf"[^\W\d_{CJK}]"
NAME = rf"(?:(?:[Vv]an(?: de[nr]?)?|von|de|di) )?[{CAPITAL}]{LETTER}+(?:['’-]{LETTER}+)*"
JOIN = r"(?:\s*,\s*(?:and\s+|&\s*)?|\s+and\s+|\s*\\?&\s*|\s*[、和与]\s*)"
YEAR = r"(?:1[6-9]\d\d|20[0-2]\d)[a-h]?(?![\w-]|[.,]\d)"
CITED = re.compile(
    rf"(?<![^\W{CJK}])(?<!\w['’-])(?:(?P<one>{NAME})(?P<many>,?\s+et\s+al\.?|\s*等人?)|(?P<all>{NAME}(?:{JOIN}{NAME})*))"
    rf"[,，]?(?:\s*[(（]|\s)\s*(?P<years>{YEAR}(?:(?:,| and|;)\s+{YEAR}(?=\s*[),;.]))*)"
)
LOOSE = re.compile(
    rf"(?:\bet\s+al\.?|等人?)[\s,，(（]*{YEAR}"
)  # every citation of more than two authors, in whatever form
ARXIV = re.compile(r"arxiv(?:\.org/(?:abs|pdf)/|:\s*|\s+)(\d{4}\.\d{4,5})", re.I)
NO_AUTHOR = set(
    "In Since Until By From After Before Of January February March April May June July August "
    "September October November "
    "December Spring Summer Autumn Winter Python Debian Ubuntu".split()
)


@dataclass(frozen=True)
class Citation:
    """A citation: its text, folded names, whether `et al.` follows them, year, letter, and the
    words before and after it that belong to it.
    """

    text: str
    names: tuple
    many: bool
    year: int
    letter: str
    before: str
    after: str


def is_citation(m) -> bool:
    """False for a month, a venue or a program before a year: a single word that is known, or in
    capitals.
    """
    word = m["all"] or ""
    return word not in NO_AUTHOR and not (len(word) > 2 and word.isupper())


def plain(text) -> str:
    "Text in one line, without the marks that begin the lines of comments and quotations."
    return re.sub(r"\s*\n[\s#>]*", " ", text)


def citations(text) -> list:
    """Citations in a text, such as (van den Oord et al. 2017, section 3.2), Ho et al. (2020), Zhang
    & Sennrich 2019, Karras 等 2022.
    """
    text, found, end = plain(text), [], 0
    hits = [m for m in CITED.finditer(text) if is_citation(m)]
    for m, start in zip(hits, [*(h.start() for h in hits[1:]), len(text)]):
        names = tuple(fold(n) for n in re.split(JOIN, m["one"] or m["all"]))
        before, end = text[max(end, m.start() - 60) : m.start()], m.end()
        after = re.match(r'[^()（）";；]*(?:[(（][^()（）]*[)）]?)?', text[end:start])[0]
        said = re.sub(r"\s*[(（]\s*", " ", m[0])
        found += [
            Citation(said, names, bool(m["many"]), int(y[:4]), y[4:], before, after)
            for y in re.findall(YEAR, m["years"])
        ]
    return found


# Which work a citation means


def label(entry) -> str:
    "How a text cites an entry: van den Oord et al. 2017, Zhang & Sennrich 2019."
    names, letter = entry["authors"], entry["key"][len(stem(entry)) :]
    who = (
        names[0]
        if len(names) == 1
        else " & ".join(names)
        if len(names) == 2 and OTHERS not in names
        else f"{names[0]} et al."
    )
    return f"{who} {entry['year']}{letter}"


def means(c, entry) -> bool:
    """Whether the names of a citation can be those of an entry; three names may be written out or
    shortened to `et al.`.
    """
    names = tuple(fold(n) for n in entry["authors"])
    return (
        c.names == names[:1] and (len(names) == 3 or OTHERS in names)
        if c.many
        else c.names == names
    )


def stands(short, text) -> bool:
    "Whether the short name of a work stands in a text, as a word."
    return (
        bool(short)
        and re.search(rf"(?<![A-Za-z0-9-]){re.escape(short)}(?![A-Za-z0-9+-])", text, re.I)
        is not None
    )


def narrow(c, found):
    """Among entries of equal names and year, those that the letter, the arXiv id or the short name
    beside the citation points to.
    """
    if c.letter:
        return [e for e in found if e["key"].endswith(str(c.year) + c.letter)]
    if len(found) < 2:
        return found
    by_id = [e for e in found if e.get("arxiv") in ARXIV.findall(c.after)]
    return (
        by_id
        or [e for e in found if stands(e.get("short"), c.after)]
        or [e for e in found if stands(e.get("short"), c.before)]
        or found
    )


def resolve(c, entries) -> dict:
    """The one entry that a citation means. Raises CourseError that says what the bibliography has
    instead.
    """
    found = [e for e in entries if e["year"] == c.year and means(c, e)]
    chosen = narrow(c, found)
    if len(chosen) == 1:
        return check_id(c, chosen[0])
    if len(found) > 1:
        ways = [f"{label(e)} ({e.get('short', e['title'])})" for e in found]
        raise CourseError(f"{c.text!r} stands for {len(found)} works; write {' or '.join(ways)}")
    raise CourseError(f"{c.text!r} is not in data/references.yaml; {near(c, entries)}")


def check_id(c, entry):
    "The entry, if the arXiv id written behind the citation is its own."
    for id in ARXIV.findall(c.after):
        if id != entry.get("arxiv"):
            raise CourseError(
                f"{c.text!r} is given arXiv:{id}; {entry['key']} has {entry.get('arxiv', 'none')}"
            )
    return entry


def near(c, entries) -> str:
    "What the bibliography has that is near to a citation: the author's works, or the nearest name."
    firsts = {fold(e["authors"][0]): e["authors"][0] for e in entries}
    close = (
        [c.names[0]]
        if c.names[0] in firsts
        else difflib.get_close_matches(c.names[0], firsts, 1, 0.7)
    )
    works = [label(e) for e in entries if fold(e["authors"][0]) in close]
    return f"it has {', '.join(works)}" if works else "add it, or correct the name"


def problems(text, entries) -> list:
    "What is wrong with the citations and the arXiv ids of a text, as short texts."
    text, bad, ids = plain(text), [], {e.get("arxiv") for e in entries}
    for c in citations(text):
        try:
            resolve(c, entries)
        except CourseError as e:
            bad.append(str(e))
    ends = {m.end("many") for m in CITED.finditer(text)}
    odd = [m for m in LOOSE.finditer(text) if not any(m.start() < end <= m.end() for end in ends)]
    bad += [
        f"{text[max(0, m.start() - 20) : m.end()]!r} is no citation of a known form; write "
        "Name et al. YEAR"
        for m in odd
    ]
    bad += [
        f"arXiv:{id} is not in data/references.yaml" for id in ARXIV.findall(text) if id not in ids
    ]
    return list(dict.fromkeys(bad))


# Looking things up


def cite(text) -> str:
    "The entry behind a citation such as 'Ho et al. 2020', in one line."
    found = citations(text)
    if len(found) != 1:
        raise CourseError(
            f"{text!r} holds {len(found)} citations; expected one, such as 'Ho et al. 2020'"
        )
    e = resolve(found[0], bibliography())
    forms = {"venue": "{}", "arxiv": "arXiv:{}", "doi": "doi:{}", "url": "{}"}
    places = [form.format(e[field]) for field, form in forms.items() if field in e]
    return f"{label(e)}. {e['title']}. {', '.join(places)}"


def titled(title):
    """The entry with this title, whatever its case and punctuation; None if the bibliography has
    none, which proves nothing about the world.
    """
    return next((e for e in bibliography() if fold(e["title"]) == fold(title)), None)
