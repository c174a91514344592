"""The question bank: `load_questions(topic)` reads and checks it, `questions(topic)` shows it in a notebook."""
from pathlib import Path

__all__ = ["load_questions", "check_questions", "questions"]
LEVELS = ("screening", "junior", "senior", "staff")
LANGUAGES = ("en", "zh")
REQUIRED = {"id": str, "covers": list, "level": str, "question": dict, "answer": dict, "rubric": list,
            "weak": str, "refuted": str, "follow_ups": list, "shown_in": str, "sources": list}


class BankError(ValueError):
    "A broken entry of the bank; the text names the file, the entry and the field."


def check_questions(entries, file):
    "Raise BankError at the first entry that breaks the form; return the entries."
    def refuse(entry, field, problem):
        name = entry.get("id", "(no id)") if isinstance(entry, dict) else repr(entry)
        raise BankError(f"{file}: {name}: {field}: {problem}")
    if not isinstance(entries, list): refuse({}, "file", f"is a {type(entries).__name__}; expected a list of questions")
    seen = set()
    for q in entries:
        if not isinstance(q, dict): refuse(q, "entry", "expected a mapping")
        for field, kind in REQUIRED.items():
            if field not in q: refuse(q, field, "is missing")
            if not isinstance(q[field], kind): refuse(q, field, f"is a {type(q[field]).__name__}; expected a {kind.__name__}")
            if not q[field] and field != "covers": refuse(q, field, "is empty")
        for field in sorted(set(q) - set(REQUIRED)): refuse(q, field, "is not a field of a question")
        if q["id"] in seen: refuse(q, "id", "stands twice")
        seen.add(q["id"])
        if q["level"] not in LEVELS: refuse(q, "level", f"is {q['level']!r}; expected one of {', '.join(LEVELS)}")
        for field in ("question", "answer"):
            for lang in LANGUAGES:
                if not str(q[field].get(lang) or "").strip(): refuse(q, field, f"has no text in {lang!r}")
        if len(q["follow_ups"]) < 2: refuse(q, "follow_ups", "expected two, of rising depth")
        if "#" not in q["shown_in"]: refuse(q, "shown_in", "expected NOTEBOOK#Heading")
    return entries


def load_questions(topic):
    "The checked questions of one topic (`data/questions/TOPIC.yaml`), a list of dicts."
    import yaml

    from ..core import data_path
    file = Path(data_path("questions", f"{topic}.yaml"))
    try: entries = yaml.safe_load(file.read_text(encoding="utf8"))
    except yaml.YAMLError as e: raise BankError(f"{file.name}: not readable as YAML: {e}") from e
    return check_questions(entries, file.name)


def as_markdown(q, lang="en"):
    "One question as Markdown; everything but the question is folded."
    rubric = "\n".join(f"- {point}" for point in q["rubric"])
    follow = "\n".join(f"{i}. {f}" for i, f in enumerate(q["follow_ups"], 1))
    shown, sources = q["shown_in"].replace("#", ", section "), "; ".join(map(str, q["sources"]))
    parts = [f"**{q['question'][lang]}** · *{q['level']}*", "<details><summary>Answer, rubric, follow-ups</summary>",
             q["answer"][lang].strip(),
             "*A full answer names*", rubric, f"*A weak candidate says:* {q['weak'].strip()}", f"*Why that fails:* {q['refuted'].strip()}",
             "*Follow-ups*", follow, f"*Shown in* {shown}. *Sources:* {sources}.", "</details>"]
    return "\n\n".join(parts)


def questions(topic, lang="en"):
    "Show the questions of `topic` in a notebook, answers folded: speak for two minutes, then unfold. `lang` is 'en' or 'zh'."
    from IPython.display import Markdown, display
    if lang not in LANGUAGES: raise ValueError(f"lang={lang!r}; expected one of {', '.join(LANGUAGES)}")
    display(Markdown("\n\n---\n\n".join(as_markdown(q, lang) for q in load_questions(topic))))
