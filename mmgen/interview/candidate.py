"""A simulated candidate: `simulate(session, skill, rng)` holds a mock interview to its end, so that
a plan, a walk or a report can be tried without a person.
"""

from ..exercises.engine import Result

__all__ = ["simulate"]
SECONDS = {"choice": 40.0, "numeric": 80.0, "code": 200.0}  # of an answer; a spoken one is drawn
PACE = 0.6, 1.2  # a spoken answer takes so many times the minutes that it has


def simulate(session, skill, rng, kindness=0.0) -> dict:
    """Answer an `Interview` to its end and return its state. `skill(topic)` in [0, 1] is the chance
    to name a point of a spoken question and to know any other; `rng` is a `random.Random`.

    A kind candidate also ticks each point that was not named, with the chance `kindness`. Nothing
    waits: the seconds are handed in with the answer.
    """
    while ask := session.next():
        chance = skill(ask.item.topic)
        if ask.stage == "mark":
            session.mark(_marks(ask, chance + (1 - chance) * kindness, rng))
        elif ask.item.kind == "oral":
            session.answer("(spoken)", 60 * rng.uniform(*PACE) * ask.minutes)
        else:
            key = session.state["pending"]["item"]  # with the right answer, which `ask` leaves out
            session.answer(_given(key, rng.random() < chance), SECONDS[ask.item.kind])
    return session.state


def _marks(ask, chance, rng):
    "Marks of one's own: indices of points, or 0 or 1 for a follow-up."
    if ask.why == "follow-up":
        return float(rng.random() < chance)
    return [i for i in range(len(ask.item.rubric)) if rng.random() < chance]


def _given(key, known):
    "A right or a wrong answer to the stored question `key`."
    if key["kind"] == "code":
        return Result("passed" if known else "wrong")
    if key["kind"] == "numeric":
        return str(key["value"]) if known else None
    return key["right"] if known else (key["right"] + 1) % len(key["options"])
