"""The question bank and what examines from it: `questions(topic)` shows a topic's questions in a
notebook, `quiz()` asks them.
"""

from .bank import LANGUAGES, BankError, check_questions, load_questions

__all__ = [
    "load_questions",
    "check_questions",
    "questions",
    "BankError",
    "as_markdown",
    "quiz",
    "progress",
    "keep",
]
WORDS = {
    "en": (
        "Answer, rubric, follow-ups",
        "A full answer names",
        "A weak candidate says:",
        "Why that fails:",
        "Follow-ups",
        "Shown in",
        ", section ",
        "Sources:",
        "more with options or numbers",
    ),
    "zh": (
        "答案、要点与追问",
        "完整的回答应包含",
        "常见的弱回答：",
        "为什么站不住：",
        "追问",
        "出处",
        "，小节 ",
        "文献：",
        "道选择题或数值题另见",
    ),
}


def __getattr__(name):
    """`quiz` and `progress` come with the widgets, `keep` with the progress file, when they are
    asked for.
    """
    import importlib

    if name in ("quiz", "progress"):
        found = getattr(importlib.import_module(".widgets", __name__), name)
    elif name == "keep":
        from ..exercises.exchange import keep as found
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def as_markdown(q, lang="en"):
    "One oral question as Markdown; everything but the question is folded."
    unfold, names, says, fails, deeper, shown, section, sources, _ = WORDS[lang]
    rubric = "\n".join(f"- {point}" for point in q["rubric"][lang])
    follow = "\n".join(f"{i}. {f}" for i, f in enumerate(q["follow_ups"][lang], 1))
    asked, *more = q["question"][lang].strip().split("\n\n")  # what follows may be code
    parts = [
        f"**{asked}** · *{q['level']}*",
        *more,
        f"<details><summary>{unfold}</summary>",
        q["answer"][lang].strip(),
        f"*{names}*",
        rubric,
        f"*{says}* {q['weak'][lang].strip()}",
        f"*{fails}* {q['refuted'][lang].strip()}",
        f"*{deeper}*",
        follow,
        f"*{shown}* {q['shown_in'].replace('#', section)}. *{sources}* {'; '.join(q['sources'])}.",
        "</details>",
    ]
    return "\n\n".join(parts)


def questions(topic, lang="en", part=""):
    """Show the spoken questions of `topic` in a notebook, answers folded: speak for two minutes,
    then unfold. `lang` is 'en' or 'zh'; `part`, such as "10b_chain", leaves those whose answer
    that notebook shows.
    """
    from IPython.display import Markdown, display

    if lang not in LANGUAGES:
        raise ValueError(f"lang={lang!r}; expected one of {', '.join(LANGUAGES)}")
    bank = load_questions(topic)
    bank = [q for q in bank if not part or q["shown_in"].startswith(f"{part}#")]
    parts = [as_markdown(q, lang) for q in bank if q["kind"] == "oral"]
    if not bank:
        raise ValueError(f"part={part!r} answers no question of {topic}; expected a notebook")
    others = len(bank) - len(parts)
    if others:
        parts.append(f"{others} {WORDS[lang][-1]}: `mmgen quiz --topic {topic}`.")
    display(Markdown("\n\n---\n\n".join(parts)))
