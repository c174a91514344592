"""The quiz and the learner's progress as widgets: `quiz()` and `progress()` in a notebook.
Keyboard: Tab and Enter.

Only what ipywidgets 7.7 and 8 share. The button at the foot stays the same object from question
to question, so that the keyboard's focus stays where it is. Where no page shows widgets, a line
says what to run instead.
"""

import html
import re
import time

from . import standing
from .memory import HARD
from .terminal import TEXT, choose, place, settle

__all__ = ["quiz", "progress", "QuizBox"]
WORDS = {
    "en": dict(
        show="Show the points",
        grade="Grade",
        answer="Answer",
        dont="I do not know",
        next="Next question",
        end="Finished",
        tick="Tick the points that you named.",
        speak="Speak for up to {:g} minutes, then show the points.",
        static="A quiz of {} questions; in a terminal: mmgen quiz",
        again="Refresh",
    ),
    "zh": dict(
        show="显示要点",
        grade="评分",
        answer="作答",
        dont="不会",
        next="下一题",
        end="已结束",
        again="刷新",
        tick="勾选你说到的要点。",
        speak="请口头回答，最多 {:g} 分钟，然后显示要点。",
        static="共 {} 题的测验；在终端里：mmgen quiz --lang zh",
    ),
}
STYLE = "line-height:1.5;max-width:44em;overflow-wrap:anywhere;white-space:pre-line"


def to_html(text):
    """Markdown of the bank as HTML: paragraphs, code, **bold** and `code`; everything else is
    escaped.
    """
    parts = re.split(r"```\w*\n(.*?)```", text, flags=re.S)
    for i, part in enumerate(parts):
        safe = html.escape(part.strip())
        if i % 2:
            parts[i] = f'<pre style="white-space:pre-wrap">{safe}</pre>'
            continue
        safe = re.sub(
            r"\*\*(.+?)\*\*", r"<b>\1</b>", re.sub(r"`([^`\n]+)`", r"<code>\1</code>", safe)
        )
        parts[i] = "".join(f"<p>{p}</p>" for p in re.split(r"\n\s*\n", safe) if p)
    return "".join(parts)


def _page(*parts):
    import ipywidgets as w

    return w.HTML(f'<div style="{STYLE}">{"".join(parts)}</div>', layout=w.Layout(width="100%"))


def _listed(lines, mark):
    return "".join(f"<p><b>{mark(i)}</b> {to_html(t)[3:-4]}</p>" for i, t in enumerate(lines))


def _option(i):
    return f"{chr(65 + i)}."


def _point(i):
    return f"{i + 1}."


def show(widget, line):
    "Display a widget; where no page can show it, its line of text stands there."
    from IPython.display import display

    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    display({"text/plain": line, "application/vnd.jupyter.widget-view+json": view}, raw=True)


class QuizBox:
    """The quiz as a small machine: `items` are asked in turn; `box` is what is displayed, `button`
    takes every step.
    """

    def __init__(self, items):
        import ipywidgets as w

        self.w, self.items, self.say, self.words = (
            w,
            items,
            TEXT[items[0].lang],
            WORDS[items[0].lang],
        )
        self.grades, self.number, self.step = [], -1, None
        self.top, self.inputs, self.after = w.VBox(), w.VBox(), w.VBox()
        self.button, self.unknown = (
            w.Button(layout=w.Layout(width="auto")) for _ in range(2)
        )  # a layout each: one may be hidden
        self.button.button_style, self.unknown.description = "primary", self.words["dont"]
        self.button.on_click(lambda _: self.step())
        self.unknown.on_click(lambda _: self.finish(None))
        self.box = w.VBox(
            [self.top, self.inputs, w.HBox([self.button, self.unknown]), self.after],
            layout=w.Layout(width="100%"),
        )
        self.next()

    @property
    def item(self):
        "The item that is asked now."
        return self.items[self.number]

    def next(self):
        "Ask the next item, or end."
        self.number += 1
        self.inputs.children = self.after.children = ()
        if self.number >= len(self.items):
            return self.end()
        item, self.started = self.item, time.monotonic()
        head = (
            f"<p><small>{self.number + 1}/{len(self.items)} · {item.topic} · "
            f"{item.level}</small></p>"
        )
        self.top.children = (_page(head, to_html(item.text)),)
        getattr(self, f"ask_{item.kind}")()

    def wait(self, label, step, unknown=True):
        "Let the button say `label` and do `step`; `unknown` shows the other button."
        self.button.description, self.step = label, step
        self.unknown.layout.display = "" if unknown else "none"

    def ask_oral(self):
        "Let the learner speak first."
        self.inputs.children = (_page(f"<p>{self.words['speak'].format(self.item.minutes)}</p>"),)
        self.wait(self.words["show"], self.show_points, unknown=False)

    def show_points(self):
        "The points of a full answer, to be ticked."
        boxes = [
            self.w.Checkbox(
                description=str(i), indent=False, layout=self.w.Layout(width="4em", min_width="4em")
            )
            for i in range(1, len(self.item.rubric) + 1)
        ]
        rows = [
            self.w.HBox([box, _page(to_html(point))]) for box, point in zip(boxes, self.item.rubric)
        ]
        self.inputs.children = (_page(f"<p>{self.words['tick']}</p>"), *rows)
        self.wait(
            self.words["grade"],
            lambda: self.finish([i for i, box in enumerate(boxes) if box.value]),
            unknown=False,
        )

    def ask_choice(self):
        "Options with a letter each."
        letters = self.w.RadioButtons(
            options=[chr(65 + i) for i in range(len(self.item.options))],
            index=None,
            layout=self.w.Layout(width="auto"),
        )
        self.inputs.children = (_page(_listed(self.item.options, _option)), letters)
        self.wait(
            self.words["answer"], lambda: letters.index is not None and self.finish(letters.index)
        )

    def ask_numeric(self):
        "A field for a number, with its unit."
        text = self.w.Text(placeholder=self.item.unit, layout=self.w.Layout(width="16em"))
        self.inputs.children = (text, _page(html.escape(self.item.unit)))
        self.wait(self.words["answer"], lambda: text.value.strip() and self.finish(text.value))

    def ask_code(self):
        "Where the exercise is and how it is checked."
        from .bank import NOTEBOOKS

        self.inputs.children = (
            _page(
                "<p>"
                + html.escape(self.say["open"].format(NOTEBOOKS[self.item.topic], self.item.id))
                + "</p>"
            ),
        )
        self.wait(self.words["next"], self.next, unknown=False)

    def finish(self, given):
        "Judge and keep the answer, show what it should have been, wait for the next."
        item, say = self.item, self.say
        try:
            grade = settle(item, given, time.monotonic() - self.started)
        except ValueError as e:
            self.after.children = (_page(f"<p>{html.escape(say['again'].format(e))}</p>"),)
            return
        self.grades.append(grade)
        told = [f"<p><b>{html.escape(say['score'].format(grade.score, grade.message))}</b></p>"]
        if item.options:
            told.append(_listed([item.options[item.right]], lambda _: _option(item.right)))
        for title, text in (
            (say["answer"], item.answer),
            (say["weak"], item.weak),
            (say["refuted"], item.refuted),
            (say["deeper"], "".join(item.follow_ups[:1]) if grade.score >= HARD else ""),
        ):
            if text:
                told.append(f"<p><b>{title}</b></p>{to_html(text)}")
        self.after.children = (_page(*told, f"<p>{html.escape(place(item))}</p>"),)
        self.wait(self.words["next"], self.next, unknown=False)

    def end(self):
        "Say how many were asked and the mean score."
        n = len(self.grades)
        text = (
            self.say["end"].format(n, sum(g.score for g in self.grades) / n)
            if n
            else self.say["none"]
        )
        self.top.children = (_page(f"<p>{text}</p>"),)
        self.wait(self.words["end"], lambda: None, unknown=False)
        self.button.disabled = True


def quiz(topic=None, level=None, lang="en", kinds=None, n=10, seed=None):
    """Ask questions in the notebook, those that are due first; every answer is kept at once.
    Returns nothing: the widget is displayed.
    """
    items, _ = choose(topic, level, lang, kinds, n, seed)
    if not items:
        return print(TEXT[lang]["empty"])
    show(QuizBox(items).box, WORDS[lang]["static"].format(len(items)))


def progress(lang="en"):
    "What was passed, what is due, what is weak and what to read again, in the notebook."
    import ipywidgets as w

    page, button = (
        w.HTML(),
        w.Button(description=WORDS[lang]["again"], layout=w.Layout(width="auto")),
    )

    def refresh(_=None):
        text = standing.report(lang)
        page.value = (
            f'<pre style="white-space:pre-wrap;overflow-wrap:anywhere">{html.escape(text)}</pre>'
        )
        return text

    button.on_click(refresh)
    show(w.VBox([page, button]), refresh())
