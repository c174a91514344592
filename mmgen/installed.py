"""What is installed under the name `mmgen`: whether it is this course, and how to restore it.

Other packages carry the name `mmgen` too. `others` finds them; `import mmgen` warns of each, and
`mmgen doctor` and the set-up cell of a notebook say the same. Standard library only.
"""

import json
import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
DISTRIBUTION = "mmgen-course"


def others() -> list:
    "Each other `mmgen` that this Python could import, as a sentence: which, where, what to do."
    found = [another_folder(place) for place in dict.fromkeys(sys.path)]
    found += [another_distribution(place) for place in dict.fromkeys([PACKAGE.parent, *sys.path])]
    found += [mixed_in(path) for path in sorted(PACKAGE.iterdir()) if path.is_dir()]
    return list(dict.fromkeys(text for text in found if text))


def another_folder(place) -> str:
    "A folder or file `mmgen` on the import path that is not this one."
    folder = Path(place or os.getcwd())
    for path in (folder / "mmgen" / "__init__.py", folder / "mmgen.py"):
        if path.is_file() and path.resolve().parent != PACKAGE:
            return (
                f"another mmgen lies in {path.parent}; this course is in {PACKAGE}: take "
                f"{folder} off the import path, or start Python in another folder"
            )
    return ""


def another_distribution(folder) -> str:
    "A distribution called `mmgen` in a folder of the path: uninstalling it removes our files."
    try:
        names = os.listdir(folder or os.getcwd())
    except OSError:
        return ""
    for name in sorted(names):
        if name.startswith("mmgen-") and name.endswith((".dist-info", ".egg-info")):
            return (
                f"the distribution {name.rsplit('.', 1)[0]} in {folder} owns files of the name "
                f"mmgen too: make a fresh environment for {DISTRIBUTION}, or run `pip uninstall "
                f"mmgen` and then install the course again"
            )
    return ""


def mixed_in(path) -> str:
    "A folder inside this package that hides a module of the same name."
    if not (PACKAGE / f"{path.name}.py").is_file():
        return ""
    return (
        f"{path} comes from another package and hides mmgen/{path.name}.py: remove that folder, "
        "or install the course into a fresh environment"
    )


def origin() -> str:
    "The file, folder or address that the course was installed from, or '' where nothing tells."
    from importlib import metadata

    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return ""
    try:
        record = json.loads(text or "{}")
    except ValueError:
        return ""
    url, vcs = record.get("url", ""), record.get("vcs_info", {}).get("vcs", "")
    return f"{vcs}+{url}" if vcs else url


def repair(name="") -> str:
    """What restores a damaged file of the embedded data: git in a checkout, else the very thing
    that the course was installed from.
    """
    if (PACKAGE.parent / "data").is_dir():
        return f"git checkout -- data/{name}" if name else "git checkout -- data"
    source = origin()
    if source:
        return f'pip install --force-reinstall --no-deps "{source}"'
    return "installing the course again from the file that you installed it from"
