"""Give the course its address: `python3 course.py publish OWNER/NAME [--branch BRANCH]`.

`settings.ini` is the one place where the address stands; badges, set-up cells, links, the README,
interview reports and the site follow from it. A second call with the same words changes nothing.
"""

import os
import re
from pathlib import Path

from . import readme, repo

PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


def publish(root, place, branch=None) -> list:
    "Write the address into `settings.ini` and all that follows from it; the names of what changed."
    if not PLACE.fullmatch(place):
        raise repo.CourseError(f"{place!r} is no repository; expected OWNER/NAME, as on GitHub")
    owner, name = place.split("/")
    file = Path(root) / "settings.ini"
    text = new = file.read_text(encoding="utf8")
    values = {"owner": owner, "name": name, "branch": branch or repo.repository(root).branch}
    for key, value in values.items():
        new = re.sub(rf"^{key} *=.*$", f"{key} = {value}", new, count=1, flags=re.M)
    if new != text:
        file.write_text(new, encoding="utf8", newline="\n")
    return ["settings.ini"] * (new != text) + readme.link_all(root)


def told(root, here=None) -> str:
    """What a workflow says where it runs in another repository than `settings.ini` names, with the
    command that mends it; '' where nothing is to be said.
    """
    here = os.environ.get("GITHUB_REPOSITORY", "") if here is None else here
    repository = repo.repository(root)
    named = f"{repository.owner}/{repository.name}" if repository.owner else "no repository"
    if not here or here.lower() == named.lower():
        return ""
    return (
        f"settings.ini names {named}, and this is {here}: run `python3 course.py publish {here}` "
        "once and commit what it changes"
    )
