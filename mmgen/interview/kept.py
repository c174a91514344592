"""Interviews in the progress file: `keep_session(state)`, `load_session(id)`; what is no interview
is left out.
"""

import json
import re

from .bank import LANGUAGES, LEVELS
from .mock import ROLES, as_item

__all__ = ["keep_session", "kept_sessions", "is_session", "load_session"]


def keep_session(state):
    "Store the state of a session in the progress file."
    from ..exercises.progress import save_session

    return save_session(state["id"], state)


def kept_sessions() -> list:
    "Every stored interview that can be read as one, oldest first."
    from ..exercises.progress import events

    states = [json.loads(data) for _, _, kind, data in events("sessions") if kind == "interview"]
    return sorted((s for s in states if is_session(s)), key=lambda s: s["started"])


def is_session(state) -> bool:
    "Whether a stored state is that of an interview: every field there, of its kind and range."
    try:
        real = {"started": (0, 4.2e9), "minutes": (1, 600), "used": (0, 1e7), "at": (0, 1e4)}
        questions = [*state["plan"], *(t["item"] for t in state["turns"])]
        return (
            bool(re.fullmatch(r"[\w.-]{1,80}", state["id"], re.ASCII))
            and state["role"] in ROLES
            and state["level"] in LEVELS
            and state["lang"] in LANGUAGES
            and all(low <= state[name] <= high for name, (low, high) in real.items())
            and isinstance(state["seed"], int)
            and (state["finished"] is None or 0 <= state["finished"] <= 4.2e9)
            and all(isinstance(id, str) for id in state["skipped"])
            and all(as_item(q).level in LEVELS for q in questions)
            and all(0 <= t["score"] <= 1 and 0 <= t["seconds"] <= 1e7 for t in state["turns"])
            and (state["pending"] is None or as_item(state["pending"]["item"]).level in LEVELS)
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        return False


def load_session(id=None):
    "The stored session `id`; without it the newest one that is not finished, or None."
    states = kept_sessions()
    if id is None:
        return next((s for s in reversed(states) if s["finished"] is None), None)
    for s in states:
        if s["id"] == id:
            return s
    raise KeyError(
        f"no interview is stored as {id!r}; stored: {', '.join(s['id'] for s in states) or 'none'}"
    )
