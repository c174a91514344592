"""`settings.ini` and the notebooks of the checkout; an error names the nearest right spelling."""

import ast
import configparser
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

from mmgen.interview.checkout import (  # noqa: F401
    CourseError,
    find_root,
    nearest,
    notebooks,
    number,
    read,
    source,
    title,
    topic_of,
)

PROFILES = ("smoke", "cpu", "gpu")


def pick(names, paths) -> list:
    """The notebooks called `names` ('4', '04', 'quantizer', '04_quantizer' or a path), in the
    course's order; all where `names` is empty.
    """
    found = set()
    for name in names:
        short = Path(name).name.removesuffix(".ipynb")
        hit = [
            p
            for p in paths
            if short in (p.stem, topic_of(p.stem), number(p.stem), number(p.stem).removeprefix("0"))
        ]
        known = [p.stem for p in paths] + [topic_of(p.stem) for p in paths]
        if not hit:
            raise CourseError(f"no notebook is called {name!r}; {nearest(short, known)}")
        found.update(hit)
    return [p for p in paths if p in found] if names else list(paths)


def settings(root) -> configparser.ConfigParser:
    "`settings.ini`, names as written (upper and lower case kept)."
    config = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",))
    config.optionxform = str
    try:
        config.read(Path(root) / "settings.ini", encoding="utf8")
    except configparser.Error as e:
        raise CourseError(f"settings.ini: {e}") from e
    return config


class Repository(NamedTuple):
    "Where the course is published: everything that names an address takes it from here."

    owner: str  # "" as long as the course is not published
    name: str
    branch: str

    @property
    def web(self) -> str:
        "The repository's page, or '' where there is none yet."
        return f"https://github.com/{self.owner}/{self.name}" if self.owner else ""

    @property
    def notebooks(self) -> str:
        "The folder of the notebooks on the web, or ''."
        return f"{self.web}/blob/{self.branch}/nbs/" if self.owner else ""

    @property
    def source(self) -> str:
        "What pip installs the published course from, or ''."
        return f"git+{self.web}.git@{self.branch}" if self.owner else ""

    def colab(self, stem) -> str:
        "Address that opens a notebook in Colab, or ''."
        place = f"{self.owner}/{self.name}/blob/{self.branch}/nbs/{stem}.ipynb"
        return f"https://colab.research.google.com/github/{place}" if self.owner else ""


def repository(root) -> Repository:
    "The repository that `settings.ini` names; its owner is empty until the course is published."
    section = settings(root)
    try:
        found = Repository(*(section["repository"][k].strip() for k in Repository._fields))
    except KeyError as e:
        raise CourseError(
            f"settings.ini: [repository] lacks {e}; it needs owner, name and branch"
        ) from None
    if found.owner and not (found.name and found.branch):
        raise CourseError("settings.ini: [repository] has an owner but lacks a name or a branch")
    return found


def parameters(nb) -> dict:
    "Names and default values (None where not a literal) that the cell tagged `parameters` assigns."
    found = {}
    for cell in nb["cells"]:
        if "parameters" not in cell["metadata"].get("tags", ()):
            continue
        for line in ast.parse(source(cell)).body:
            targets = (
                line.targets
                if isinstance(line, ast.Assign)
                else [line.target]
                if isinstance(line, ast.AnnAssign)
                else []
            )
            try:
                value = ast.literal_eval(line.value)
            except (ValueError, AttributeError):
                value = None
            found.update({t.id: value for t in targets if isinstance(t, ast.Name)})
    return found


def write(nb, path):
    """Write a notebook as Jupyter does, through a temporary file so that a stop in between loses
    nothing.
    """
    part = Path(path).with_suffix(".part")
    part.write_text(
        json.dumps(nb, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf8"
    )
    os.replace(part, path)


def profile(root, name) -> dict:
    """The parameters that profile `name` gives, as {notebook: {parameter: value}}; everything in it
    is checked against the notebooks.
    """
    config, paths = settings(root), notebooks(root)
    if name not in PROFILES or name not in config:
        raise CourseError(f"no profile is called {name!r}; {nearest(name, PROFILES)}")
    found = {p.stem: {} for p in paths}
    for key, text in config[name].items():
        where = f"settings.ini [{name}] {key}"
        if "." not in key:
            raise CourseError(f"{where}: expected NOTEBOOK.PARAMETER = VALUE")
        notebook, parameter = key.split(".", 1)
        try:
            (path,) = pick([notebook], paths)
        except CourseError as e:
            raise CourseError(f"{where}: {e}") from None
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            raise CourseError(
                f"{where}: {text!r} is not a Python literal; text needs quotes"
            ) from None
        check_parameters({parameter: value}, parameters(read(path)), where)
        found[path.stem][parameter] = value
    return found


def check_parameters(given, has, where):
    """Raise CourseError if a given parameter is not one of the notebook's, or is of another kind
    than its default.
    """
    for name, value in given.items():
        if name not in has:
            raise CourseError(
                f"{where}: the notebook has no parameter {name!r}; {nearest(name, has)}"
            )
        default = has[name]
        kinds = {type(value), type(default)}
        if (
            default is None
            or value is None
            or len(kinds) == 1
            or kinds <= {int, float}
            or kinds <= {list, tuple}
        ):
            continue
        raise CourseError(
            f"{where}: {value!r} is a {type(value).__name__}; the default {default!r} is a "
            f"{type(default).__name__}"
        )


def kernel_config():
    """On Linux kernels talk through files, not ports: two kernels that start at once can pick one
    port, and then both hang.
    """
    import tempfile
    import uuid

    from traitlets.config import Config

    if sys.platform != "linux":
        return Config()
    return Config(
        KernelManager={
            "transport": "ipc",
            "connection_file": f"{tempfile.gettempdir()}/mmgen-{uuid.uuid4().hex[:12]}.json",
        }
    )
