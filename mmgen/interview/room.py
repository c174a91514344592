"""The mock interview as a widget in a notebook, `mock_interview()`."""

import html
import re
import time

from .bank import LEVELS
from .kept import load_session
from .mock import ROLES, SESSIONS
from .report import report_part, rich, write_report
from .summary import summary
from .talk import SAY, begin, head_of
from .widgets import show

__all__ = ["mock_interview", "Room"]
GIVEN = (
    "white-space:pre-wrap;line-height:1.5;overflow-wrap:break-word;border-left:4px "
    "solid;padding-left:8px;margin:8px 0"
)
STYLE = """<style>.mmgen-interview label, .mmgen-interview label span { white-space: normal !important; height: auto !important;
line-height: 1.4 !important; overflow-wrap: anywhere } .mmgen-interview .widget-radio-box { height: auto !important; max-width: 100% }
.mmgen-interview .jupyter-widgets { margin-left: 0 !important; margin-right: 0 !important; max-width: 100% }
.mmgen-interview .widget-button { margin-right: 6px !important }
.mmgen-interview pre { white-space: pre-wrap } </style>"""


class Room:
    """The widget: what is asked, a place for the answer, the marks, the report. The button at its
    foot stays the same for every step.
    """

    def __init__(self, make, lang="en", clock=time.monotonic):
        import ipywidgets as w

        self.w, self.make, self.say, self.clock, self.interview = w, make, SAY[lang], clock, None
        self.button, self.other = (
            w.Button(layout=w.Layout(width="auto", min_height="32px")) for _ in range(2)
        )
        self.button.button_style = "primary"
        self.button.on_click(lambda _: self.act())
        self.other.on_click(lambda _: self.turn_aside())
        self.said, self.asked, self.problem, self.inputs = (
            w.HTML(STYLE),
            w.HTML(),
            w.HTML(),
            w.VBox(),
        )
        self.box = w.VBox(
            [self.said, self.asked, self.inputs, self.problem, w.HBox([self.button, self.other])],
            layout=w.Layout(max_width="720px", width="100%"),
        )
        self.box.add_class("mmgen-interview")
        self.wait(
            self.say["start"],
            lambda: self.open(False),
            self.say["resume"] if load_session() else "",
            lambda: self.open(True),
        )

    def wait(self, label, act, other="", turn_aside=None):
        "Name the buttons and what they do next; without `other` there is one."
        self.button.description, self.act, self.turn_aside = label, act, turn_aside
        self.other.description, self.other.layout.display = other, "" if other else "none"

    def open(self, resume):
        "Begin, or go on."
        self.interview = self.make(resume)
        self.say = SAY[self.interview.state["lang"]]
        self.step()

    def step(self, said=""):
        "Show what stands to be asked."
        ask, s = self.interview.next(), self.say
        self.said.value, self.problem.value = STYLE + said, ""
        if ask is None:
            return self.end()
        head, clock = (html.escape(x) for x in head_of(ask, s))
        self.asked.value = (
            f"<small>{head}<br>{clock}</small><div "
            f"style='line-height:1.5;overflow-wrap:anywhere'>{rich(ask.text)}</div>"
        )
        self.start = self.clock()
        if ask.stage == "mark":
            return self.show_marks(ask)
        field = self.field(ask)
        self.inputs.children = [field]
        self.wait(
            s["send"], lambda: self.take(ask, field.value), s["skip"], lambda: self.take(ask, None)
        )

    def field(self, ask):
        "Where the answer goes; words and code are kept while they are typed."
        s, w, kind = self.say, self.w, "oral" if ask.depth else ask.item.kind
        if kind == "choice":
            return w.RadioButtons(
                options=[(o, i) for i, o in enumerate(ask.item.options)],
                value=None,
                layout=w.Layout(width="100%"),
            )
        if kind == "numeric":
            return w.Text(placeholder=s["answer"], layout=w.Layout(width="100%", max_width="20em"))
        begun = ask.draft
        if kind == "code" and not begun:
            from ..exercises import exercise

            begun = exercise(ask.item.id).starter.strip()
        field = w.Textarea(
            value=begun,
            placeholder=s["answer"],
            rows=6,
            layout=w.Layout(width="100%", height="140px"),
        )
        field.observe(lambda change: self.interview.draft(change["new"]), "value")
        return field

    def take(self, ask, given):
        "Hand the answer in; an empty number or choice is none."
        if ask.item.kind in ("numeric", "choice") and not ask.depth and given in ("", None):
            given = None
        try:
            grade = self.interview.answer(given, self.clock() - self.start)
        except ValueError as e:
            self.problem.value = f"<b>{html.escape(str(e))}</b>"
            return
        self.step(self.feedback() if grade else "")

    def show_marks(self, ask):
        "The rubric to tick, after the answer."
        s, w = self.say, self.w
        if ask.depth:
            words = re.findall(r"\d ([^,.，。]+)", s["follow"])  # 2 well, 1 partly, 0 not
            grade = w.RadioButtons(options=list(zip(words, (1.0, 0.5, 0.0))), value=0.0)
            self.inputs.children = [w.HTML(f"<b>{s['own']}</b>"), grade]
            return self.wait(s["marked"], lambda: self.tick(grade.value))
        if words := self.interview.state["pending"]["given"]:
            self.asked.value += f"<div style='{GIVEN}'>{html.escape(words)}</div>"
        wide = w.Layout(width="100%", height="auto")
        ticks = [
            w.Checkbox(value=False, indent=False, description=p, layout=wide)
            for p in ask.item.rubric
        ]
        self.inputs.children = [w.HTML(f"<b>{s['strict']} {s['own']}</b>"), *ticks]
        self.wait(s["marked"], lambda: self.tick([i for i, t in enumerate(ticks) if t.value]))

    def tick(self, points):
        "Hand the marks in."
        self.interview.mark(points)
        self.step(self.feedback())

    def feedback(self):
        "What came of the last answer."
        t, s = self.interview.state["turns"][-1], self.say
        late = (
            s["over"].format(t["seconds"] - t["minutes"] * 60, t["raw"], t["score"])
            if t["score"] < t["raw"]
            else ""
        )
        said = f"<b>{s['grade'].format(t['raw'])}</b> {html.escape(late)}"
        if t["why"] == "follow-up":
            return said
        words = f"<pre>{html.escape(t['message'])}</pre>" if t["message"] else ""
        model = f"<summary>{s['model']}</summary>{rich(t['item']['answer'])}"
        return f"{said}{words}<details>{model}</details><hr>"

    def end(self):
        "The report, beside the notebook and below."
        state, s = self.interview.state, summary(self.interview.state)
        try:
            where = self.say["saved"].format(write_report(state, f"interview-{state['id']}.html"))
        except OSError as e:
            where = self.say["elsewhere"].format(f"interview-{state['id']}.html", e.strerror or e)
        words = f"{self.say['done'].format(s['overall'], s['answered'])} {self.say['own']}"
        self.asked.value = f"<p>{html.escape(words)}</p><p>{html.escape(where)}</p>"
        self.inputs.children = [self.w.HTML(report_part(state), layout=self.w.Layout(width="100%"))]
        self.wait(self.say["again"], lambda: self.open(False))


def mock_interview(role="research engineer", level="junior", minutes=15, lang="en", seed=0):
    """Show a mock interview in a notebook; one that was interrupted can go on. Its report is
    written beside the notebook at the end.
    """
    for name, value, allowed in (
        ("role", role, ROLES),
        ("level", level, LEVELS),
        ("minutes", minutes, SESSIONS),
        ("lang", lang, SAY),
    ):
        if value not in allowed:
            raise ValueError(f"{name}={value!r}; expected one of {', '.join(map(str, allowed))}")
    show(
        Room(lambda resume: begin(role, level, minutes, lang, seed, resume), lang).box,
        SAY[lang]["static"].format(minutes),
    )
