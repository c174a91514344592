"""A mock interview: `Interview` draws a plan that fits the session, follows the answers up or eases
off, and can be killed at any point.

It is a state machine without a clock and without a screen: `next()` says what to ask,
`answer(given, seconds)` takes an answer, `mark(points)` the learner's own marks of a spoken one.
The terminal and the widget (`talk.py`), the notebook and the tests drive it.
"""

import dataclasses
import json
import math
import random
import time
import uuid

from .bank import LANGUAGES, LEVELS
from .items import ALL_KINDS, Grade, Item, all_items, judge

__all__ = [
    "ROLES",
    "SESSIONS",
    "Ask",
    "Interview",
    "draw_plan",
    "after_time",
    "run_code",
]
ROLES = {  # how much more often a topic is asked than one that is not named
    "research engineer": dict(
        quantizer=3, vqvae=2, priors=2, diffusion=3, samplers=3, dit=3, transformer=2, latent=2
    ),
    "applied scientist": dict(
        metrics=4, autoencoder=2, vqvae=2, vqgan=2, diffusion=3, latent=3, data=2
    ),
    "ml engineer": dict(training=4, transformer=4, dit=3, data=2, samplers=2, metrics=2),
    "product engineer": dict(tour=4, metrics=3, data=3, vqvae=2, latent=3, samplers=2),
}
SESSIONS = {
    15: (1, 4.0),
    30: (1, 8.0),
    60: (3, 10.0),
}  # minutes: at most so many code questions, of at most so many minutes
PLANNED = 0.8  # share of a session that is planned; the rest is for what answers lead to
GOOD, BAD = 0.7, 0.4  # from GOOD on a follow-up comes, below BAD an easier question
FOLLOW_UP = 1.5  # minutes of a follow-up
LEAST = 0.5  # an answer that runs over keeps at least this share of its score
FORM = 1  # of a stored session


def after_time(score, seconds, minutes) -> float:
    """What is left of `score` after running over: the share of the time that was planned, at least
    a half; in time, all of it.
    """
    limit = minutes * 60
    return score if seconds <= limit else score * max(LEAST, limit / seconds)


def draw_plan(items, role, level, minutes, seed=0, weak=None) -> list:
    """Items of one session, reproducible from its arguments: a spoken opening, then spoken, short
    and code questions within the time.
    """
    rng, drawn, asked = random.Random(f"{seed}/{role}/{level}/{minutes}"), [], {}

    def weight(item, level):
        distance = abs(LEVELS.index(item.level) - LEVELS.index(level))
        return (
            ROLES[role].get(item.topic, 1)
            * (1 + 2 * (weak or {}).get(item.topic, 0.0))
            * 0.3**distance
            * 0.3 ** asked.get(item.topic, 0)
        )

    def draw(kinds, most, level):
        pool = [i for i in items if i.kind in kinds and i.minutes <= most and i not in drawn]
        if not pool:
            return None
        item = rng.choices(pool, [weight(i, level) for i in pool])[0]
        drawn.append(item)
        asked[item.topic] = asked.get(item.topic, 0) + 1
        return item

    left = minutes * PLANNED
    first = draw(("oral",), left, "screening") or draw(ALL_KINDS, left, "screening")
    if first is None:
        raise ValueError(
            f"items has nothing that fits {minutes} minutes; expected questions of mmgen.interview"
        )
    left, code, rest = left - first.minutes, [], []
    number, longest = SESSIONS[minutes]
    for _ in range(number):
        item = draw(("code",), min(longest, left / 2), level)
        if item:
            code.append(item)
            left -= item.minutes
    while item := draw((("oral",), ("choice", "numeric"))[len(rest) % 2], left, level) or draw(
        ("oral", "choice", "numeric"), left, level
    ):
        rest.append(item)
        left -= item.minutes
    for k, item in enumerate(code, 1):
        rest.insert(round(k * len(rest) / (len(code) + 1)) + k - 1, item)
    return [first, *rest]


@dataclasses.dataclass(frozen=True)
class Ask:
    """What stands to be asked. At stage 'answer' the item holds no answer and no rubric; at stage
    'mark' (spoken ones only) it does.
    """

    item: Item
    stage: str
    why: str  # why it is asked: opening, planned, follow-up, easier
    text: str
    minutes: float
    number: int
    of: int
    left: float  # place in the plan; minutes left of the session
    depth: int = 0
    draft: str = ""  # depth of a follow-up, from 1; words kept from before an interruption


def as_item(record) -> Item:
    "The item of its stored form."
    return Item(**{k: tuple(v) if isinstance(v, list) else v for k, v in record.items()})


def as_record(item) -> dict:
    "The stored form of an item: what JSON gives back."
    return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(item).items()}


def closed(item) -> Item:
    "The item as the candidate sees it before answering."
    return dataclasses.replace(
        item,
        answer="",
        rubric=(),
        right=-1,
        value=0.0,
        why=(),
        weak="",
        refuted="",
        follow_ups=(),
        shown_in="",
        sources=(),
    )


def run_code(id, text):
    """Run the text of a solution and check it; a `Result` of the exercise engine, whatever the text
    does.
    """
    from ..exercises import engine, exercise

    ex, scope, raised = exercise(id), {}, []
    scope.update(
        {
            k: v
            for k, v in vars(__import__(ex.__module__, fromlist=["x"])).items()
            if not k.startswith("__")
            and not (isinstance(v, type) and issubclass(v, engine.Exercise))
        }
    )

    def work():
        try:
            exec(compile(text, "<answer>", "exec"), scope)
        except BaseException as e:
            raised.append(e)

    scope.pop(ex.name(), None)
    in_time = engine._in_time(work, ex.seconds)
    if not in_time:
        return engine.Result(
            engine.ERROR, f"  still running after {ex.seconds:g} s and was stopped"
        )
    if raised:
        return engine.Result(engine.ERROR, f"  {type(raised[0]).__name__}: {raised[0]}")
    if ex.name() not in scope:
        return engine.Result(engine.ERROR, f"  it does not define {ex.name()}")
    return engine.grade(ex, scope[ex.name()])


class Interview:
    """One session. `keep(state)` is called after every change, `remember(item, score, seconds,
    outcome)` after every graded question.
    """

    def __init__(
        self,
        role="research engineer",
        level="junior",
        minutes=30,
        lang="en",
        seed=0,
        items=None,
        weak=None,
        now=time.time,
        keep=None,
        remember=None,
    ):
        given = (
            ("role", role, ROLES),
            ("level", level, LEVELS),
            ("minutes", minutes, SESSIONS),
            ("lang", lang, LANGUAGES),
        )
        for name, value, allowed in given:
            if value not in allowed:
                raise ValueError(
                    f"{name}={value!r}; expected one of {', '.join(map(str, allowed))}"
                )
        self.items, self.now, self.keep, self.remember = (
            items,
            now,
            keep or (lambda state: None),
            remember or (lambda *a: None),
        )
        at, weak = now(), dict(weak or {})
        id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}-{uuid.uuid4().hex[:6]}"
        self.state = dict(
            form=FORM,
            id=id,
            role=role,
            level=level,
            minutes=minutes,
            lang=lang,
            seed=seed,
            weak=weak,
            started=at,
            finished=None,
            used=0.0,
            at=0,
            turns=[],
            pending=None,
            skipped=[],
        )
        plan = draw_plan(self.pool(), role, level, minutes, seed, weak)
        self.state["plan"] = [as_record(i) for i in plan]
        self.keep(self.state)

    @classmethod
    def resume(cls, state, items=None, now=time.time, keep=None, remember=None):
        "Go on with a stored session where it stopped."
        if state.get("form") != FORM:
            raise ValueError(
                f"state has form {state.get('form')!r}; this version of mmgen reads form {FORM}"
            )
        self = cls.__new__(cls)
        self.items, self.now, self.state = items, now, json.loads(json.dumps(state))
        self.keep, self.remember = keep or (lambda state: None), remember or (lambda *a: None)
        return self

    def pool(self) -> list:
        "Everything that may be asked, in the session's language."
        if self.items is None:
            self.items = all_items(lang=self.state["lang"], seed=self.state["seed"])
        return self.items

    @property
    def left(self) -> float:
        "Minutes left of the session."
        return self.state["minutes"] - self.state["used"] / 60

    def next(self):
        """What to ask now, an `Ask`, or None when the session is over; asking again gives the same
        until it is answered.
        """
        s = self.state
        if s["finished"] is not None:
            return None
        if s["pending"] is None:
            s["pending"] = self._follow() or self._planned()
            if s["pending"] is None:
                s["finished"] = self.now()
            self.keep(s)
        if s["pending"] is None:
            return None
        p = s["pending"]
        item = as_item(p["item"])
        shown = closed(item) if p["stage"] == "answer" else item
        return Ask(
            shown,
            p["stage"],
            p["why"],
            p["text"],
            p["minutes"],
            s["at"],
            len(s["plan"]),
            self.left,
            p["depth"],
            p["draft"],
        )

    def _ask(self, item, why, text="", minutes=None, depth=0):
        return dict(
            item=item,
            why=why,
            stage="answer",
            depth=depth,
            draft="",
            text=text or item["text"],
            minutes=minutes or item["minutes"],
        )

    def _planned(self):
        """The next question of the plan for which at least half its time is left; the others are
        skipped.
        """
        s = self.state
        while s["at"] < len(s["plan"]):
            item = s["plan"][s["at"]]
            s["at"] += 1
            if self.left >= item["minutes"] / 2:
                return self._ask(item, "opening" if s["at"] == 1 else "planned")
            s["skipped"].append(item["id"])

    def _follow(self):
        """What the last answer leads to, if the rest of the plan still fits after it: a deeper
        question, an easier one, or nothing.
        """
        s = self.state
        if not s["turns"]:
            return None
        last, room = s["turns"][-1], self.left - sum(i["minutes"] for i in s["plan"][s["at"] :])
        deeper = last["item"]["follow_ups"][last["depth"] :]
        if last["why"] != "easier" and last["score"] >= GOOD and deeper:
            return (
                self._ask(last["item"], "follow-up", deeper[0], FOLLOW_UP, last["depth"] + 1)
                if room >= FOLLOW_UP
                else None
            )
        if last["why"] not in ("opening", "planned") or last["score"] >= BAD:
            return None
        known = {t["item"]["id"] for t in s["turns"]} | {i["id"] for i in s["plan"]}
        highest = max(LEVELS.index(last["item"]["level"]) - 1, 0)
        easier = [
            i
            for i in self.pool()
            if i.topic == last["item"]["topic"]
            and i.id not in known
            and i.kind != "code"
            and i.minutes <= room
            and LEVELS.index(i.level) <= highest
        ]
        if easier:
            return self._ask(
                as_record(random.Random(f"{s['seed']}/{last['item']['id']}").choice(easier)),
                "easier",
            )

    def draft(self, text):
        "Keep the words typed so far, so that a killed session does not lose them."
        if self.state["pending"] is None:
            raise ValueError("nothing is being asked; call next() first")
        self.state["pending"]["draft"] = str(text)
        self.keep(self.state)

    def _pending(self, stage, seconds=0.0):
        p = self.state["pending"]
        if p is None:
            raise ValueError("nothing is being asked; call next() first")
        if p["stage"] != stage:
            raise ValueError(f"{p['item']['id']} stands at stage {p['stage']!r}; call {p['stage']}")
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, (int, float))
            or not 0 <= seconds < math.inf
        ):
            raise ValueError(f"seconds={seconds!r}; expected a number from 0")
        return p

    def answer(self, given, seconds):
        """Take an answer (None: 'I do not know'): the `Grade`, or None for a spoken one, which is
        to be marked. Bad input changes nothing.
        """
        p = self._pending("answer", seconds)
        item, kind = as_item(p["item"]), p["item"]["kind"]
        p = p | dict(seconds=float(seconds), given=given, points=[], outcome="")
        if given is None:
            return self._close(p, Grade(0.0))
        if kind == "oral" or p["why"] == "follow-up":
            self.state["pending"] = p | dict(given=str(given), stage="mark")
            self.keep(self.state)
            return None
        if kind != "code":
            return self._close(p, judge(item, given))
        result = run_code(item.id, given) if isinstance(given, str) else given
        p |= dict(given=given if isinstance(given, str) else "", outcome=result.outcome)
        return self._close(p, judge(item, result))

    def mark(self, points) -> Grade:
        """The learner's own marks: indices of the rubric's points that were named; for a follow-up
        0 (no), 0.5 (partly) or 1 (well).
        """
        p = self._pending("mark")
        if p["why"] != "follow-up":
            grade = judge(as_item(p["item"]), points)
            return self._close(p | dict(points=sorted(set(points))), grade)
        if isinstance(points, bool) or points not in (0, 0.5, 1):
            raise ValueError(f"points={points!r}; a follow-up takes 0, 0.5 or 1")
        return self._close(p, Grade(float(points)))

    def _close(self, p, grade):
        score, s = after_time(grade.score, p["seconds"], p["minutes"]), self.state
        turn = {
            k: p[k]
            for k in (
                "item",
                "why",
                "text",
                "minutes",
                "depth",
                "given",
                "seconds",
                "points",
                "outcome",
            )
        }
        s["turns"].append(turn | dict(raw=grade.score, score=score, message=grade.message))
        s["used"] += p["seconds"]
        s["pending"] = None
        self.keep(s)
        if p["why"] != "follow-up":
            self.remember(as_item(p["item"]), grade.score, p["seconds"], p["outcome"])
        return dataclasses.replace(grade, score=score)
