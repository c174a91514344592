"""Spaced repetition: which item is due when, by FSRS (the package `fsrs`) over the log of reviews.

A card is nothing but its reviews replayed, so nothing is stored that could disagree with the
log, and two devices that merge their logs agree about every card. There are no steps of minutes
(a question takes minutes itself) and no random fuzz.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ..exercises import progress

__all__ = [
    "Review",
    "TopicState",
    "remember",
    "reviews",
    "due",
    "recall",
    "last_scores",
    "weak_topics",
]
AGAIN, HARD, GOOD = 0.4, 0.7, 0.95  # a score below is rated again, hard, good; above, easy
NEEDS = "spaced repetition needs the package fsrs: pip install fsrs"


@dataclass(frozen=True)
class Review:
    "One answer that was judged."

    when: datetime
    item: str
    kind: str
    lang: str
    score: float
    seconds: float | None


@dataclass(frozen=True)
class TopicState:
    """A topic as the learner stands: items seen, predicted recall now, mean of the last scores, and
    the items that were missed.
    """

    topic: str
    items: int
    recall: float
    share: float
    missed: tuple

    @property
    def strength(self):
        "Recall times share: how much of the topic would be said now."
        return self.recall * self.share


def _utc(when):
    "A moment as datetime in UTC; None is now."
    if when is None:
        return datetime.now(timezone.utc)
    if isinstance(when, (int, float)):
        return datetime.fromtimestamp(when, timezone.utc)
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise ValueError(
            f"when={when!r}; expected a datetime with its time zone, or seconds since 1970"
        )
    return when.astimezone(timezone.utc)


def rating(score):
    "The FSRS rating of a score in [0, 1]."
    from fsrs import Rating

    return (
        Rating.Again
        if score < AGAIN
        else Rating.Hard
        if score < HARD
        else Rating.Good
        if score < GOOD
        else Rating.Easy
    )


def scheduler():
    """The FSRS scheduler of this course: recall of 0.9 is wanted, intervals are whole days, nothing
    is random.
    """
    try:
        from fsrs import Scheduler
    except ImportError as e:
        raise ImportError(NEEDS) from e
    return Scheduler(
        desired_retention=0.9, learning_steps=(), relearning_steps=(), enable_fuzzing=False
    )


def remember(item_id, score, kind, lang, seconds=None, when=None):
    "Note that an item was answered with `score` in [0, 1]; its next review follows from that."
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not 0 <= score <= 1:
        raise ValueError(f"score={score!r}; expected a number from 0 to 1")
    progress.add(
        "reviews",
        item_id,
        kind,
        lang,
        float(score),
        None if seconds is None else float(seconds),
        at=_utc(when).timestamp(),
    )


def reviews() -> list:
    "All reviews, oldest first."
    return [Review(_utc(at), *rest) for _, at, *rest in progress.events("reviews")]


def cards(when=None) -> dict:
    """The FSRS card of every item that was reviewed. A review dated in the future (a clock that
    went wrong) counts as of `when`.
    """
    from_log, now, replay = defaultdict(list), _utc(when), scheduler()
    from fsrs import Card

    for r in reviews():
        from_log[r.item].append(r)
    found = {}
    for item, log in from_log.items():
        card = Card(card_id=0)
        for r in log:
            card, _ = replay.review_card(card, rating(r.score), min(r.when, now))
        found[item] = card
    return found


def due(when=None, within_days=0) -> list:
    """Ids of the items that are due at `when` or within so many days after it, the longest overdue
    first.
    """
    limit = _utc(when) + timedelta(days=within_days)
    ready = [(card.due, item) for item, card in cards(when).items() if card.due <= limit]
    return [item for _, item in sorted(ready)]


def recall(when=None) -> dict:
    "Predicted probability that each reviewed item is recalled at `when`."
    model, now = scheduler(), _utc(when)
    return {item: model.get_card_retrievability(card, now) for item, card in cards(now).items()}


def last_scores() -> dict:
    "The newest score of every reviewed item."
    return {r.item: r.score for r in reviews()}


def weak_topics(when=None) -> list:
    """`TopicState` of every topic with a review, the weakest first: by predicted recall times the
    mean of the last scores.
    """
    now, scores, by_topic = recall(when), last_scores(), defaultdict(list)
    for item in scores:
        by_topic[item.split(".")[0]].append(item)

    def mean(values, items):
        return sum(values[i] for i in items) / len(items)

    def missed(items):
        return tuple(sorted((i for i in items if scores[i] < HARD), key=lambda i: (scores[i], i)))

    states = [
        TopicState(topic, len(items), mean(now, items), mean(scores, items), missed(items))
        for topic, items in by_topic.items()
    ]
    return sorted(states, key=lambda s: (s.strength, s.topic))
