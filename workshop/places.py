"""Where each exercise stands: `mmgen/exercises/places.json` is written from the notebooks, so that
the installed package, which holds none of them, can point to the right heading.
"""

import json
import re
from pathlib import Path

from . import repo

FILE = "mmgen/exercises/places.json"
CALL = re.compile(r"^check\(\"([\w.]+)\"", re.M)


def found(root) -> dict:
    "Id of each exercise -> NOTEBOOK#Heading of the cell above its check, in the order of reading."
    places = {}
    for path in repo.notebooks(root):
        heading = ""
        for cell in repo.read(path)["cells"]:
            source = repo.source(cell)
            if cell["cell_type"] == "markdown":
                lines = [line for line in source.splitlines() if line.startswith("### Exercise")]
                heading = lines[-1].lstrip("# ") if lines else heading
            elif heading:
                for id in CALL.findall(source):
                    places.setdefault(id, f"{path.stem}#{heading}")
    return places


def text(root) -> str:
    "What the file must hold."
    return json.dumps(found(root), indent=1, ensure_ascii=False) + "\n"


def write(root) -> bool:
    "Write the file; True if that changed it."
    file = Path(root) / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    new = text(root)
    if file.exists() and file.read_text(encoding="utf8") == new:
        return False
    file.write_text(new, encoding="utf8", newline="\n")
    return True
