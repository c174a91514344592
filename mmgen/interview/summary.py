"""What a mock interview came to: `summary(state)`, everything that its report says in numbers, from
the stored session alone.
"""

import math

from .mock import BAD, GOOD, ROLES

__all__ = ["mean", "summary"]
READING = 5  # minutes to read a section again, before its question is answered once more


def mean(turns, score="score"):
    "Mean score of turns, each weighted by its minutes; NaN without any."
    total = sum(t["minutes"] for t in turns)
    return sum(t["minutes"] * t[score] for t in turns) / total if total else math.nan


def _group(turns, key):
    names = list(dict.fromkeys(t["item"][key] for t in turns))
    groups = {n: [t for t in turns if t["item"][key] == n] for n in names}
    return {
        n: dict(score=mean(g), n=len(g), seconds=sum(t["seconds"] for t in g))
        for n, g in groups.items()
    }


def summary(state) -> dict:
    "Everything the report says in numbers, from the stored session alone."
    asked = [t for t in state["turns"] if t["why"] != "follow-up"]
    planned = [t for t in asked if t["why"] != "easier"]
    topics, total = _group(asked, "topic"), sum(t["minutes"] for t in planned)
    lost = {}
    for t in planned:
        lost[t["item"]["topic"]] = (
            lost.get(t["item"]["topic"], 0.0) + 100 * t["minutes"] * (1 - t["score"]) / total
        )
    deep = [t for t in state["turns"] if t["why"] == "follow-up"]
    return dict(
        overall=mean(planned),
        answered=len(planned),
        of=len(state["plan"]),
        used=state["used"] / 60,
        topics=topics,
        kinds=_group(asked, "kind"),
        lost=lost,
        strengths=[n for n, g in topics.items() if g["score"] >= GOOD],
        gaps=_gaps(asked),
        deep=(sum(t["score"] >= GOOD for t in deep), len(deep)),
        plan=_study_plan(state, asked, lost),
    )


def _gaps(asked):
    "What was missing, per question that lost something, worst first."
    found = []
    for t in sorted((t for t in asked if t["score"] < 1), key=lambda t: t["score"]):
        item, missed = t["item"], []
        if item["kind"] == "oral":
            missed = [p for i, p in enumerate(item["rubric"]) if i not in t["points"]]
        said = (
            t["message"]
            if item["kind"] != "oral" and t["given"] is not None
            else item["refuted"]
            if t["score"] < BAD
            else ""
        )
        found.append(
            dict(id=item["id"], topic=item["topic"], score=t["score"], missed=missed, said=said)
        )
    return found


def _study_plan(state, asked, lost):
    """Where to go in the course: topics by what they cost times how often the role asks them,
    within a topic the worst question first.
    """

    def weight(topic):
        return lost.get(topic, 0.0) * ROLES[state["role"]].get(topic, 1)

    topics = sorted(
        {t["item"]["topic"] for t in asked if t["score"] < 1}, key=lambda n: (-weight(n), n)
    )
    steps = []
    for topic in topics:
        worst = sorted(
            (t for t in asked if t["item"]["topic"] == topic and t["score"] < 1),
            key=lambda t: t["score"],
        )
        for t in worst:
            item, place, code = t["item"], t["item"]["shown_in"], t["item"]["kind"] == "code"
            if any((s["place"], s["exercise"]) == (place, code) for s in steps):
                continue
            minutes = math.ceil(item["minutes"] + (0 if code else READING))
            steps.append(
                dict(
                    topic=topic,
                    place=place,
                    id=item["id"],
                    exercise=code,
                    minutes=minutes,
                    lost=lost.get(topic, 0.0),
                )
            )
    return steps
