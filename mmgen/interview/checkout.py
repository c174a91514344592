"""The checkout that a command runs in, and its notebooks as plain data. Every error names the
nearest right spelling.
"""

import difflib
import json
import re
from pathlib import Path


class CourseError(Exception):
    "A mistake in a command or in `settings.ini`; the text says what to write instead."


def find_root(start=None) -> Path:
    """The checkout: the folder with `nbs/` and `settings.ini` at or above `start`, the current
    folder, or the package's own.
    """
    here = [Path(start)] if start else [Path.cwd(), Path(__file__).parents[2]]
    for folder in here:
        for p in (folder.resolve(), *folder.resolve().parents):
            if (p / "nbs").is_dir() and (p / "settings.ini").is_file():
                return p
    raise CourseError(
        f"no folder with nbs/ and settings.ini at or above {here[0]}; run this inside a clone "
        "of the course"
    )


def notebooks(root) -> list:
    "Paths of the course's notebooks, in order; an appendix, as `10b_chain`, after its lesson."
    paths = (Path(root) / "nbs").glob("*.ipynb")
    return sorted(p for p in paths if re.match(r"\d\d[a-z]?_", p.name))


def number(stem) -> str:
    "'10b' of '10b_chain'."
    return stem.partition("_")[0]


def topic_of(stem) -> str:
    "'chain' of '10b_chain': the name that module, exercises and questions share."
    return stem.partition("_")[2]


def nearest(word, words):
    "Text that suggests what was meant."
    near = difflib.get_close_matches(str(word), [str(w) for w in words], 1, 0.5)
    return (
        f"did you mean {near[0]!r}?"
        if near
        else f"there are: {', '.join(map(str, words)) or 'none'}"
    )


def source(cell) -> str:
    "Source of a cell as one string, whether read by json or by nbformat."
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def read(path) -> dict:
    "A notebook as plain JSON."
    try:
        return json.loads(Path(path).read_text(encoding="utf8"))
    except ValueError as e:
        raise CourseError(f"{Path(path).name} is not readable as a notebook: {e}") from e


def title(nb) -> tuple:
    "Heading and promise (the quoted line) of a notebook."
    text = source(nb["cells"][0]) if nb["cells"] else ""
    head, promise = re.search(r"^# +(.+)$", text, re.M), re.search(r"^> *(.+)$", text, re.M)
    return (head[1].strip() if head else "", promise[1].strip() if promise else "")
