"""The checkout: where it is, its notebooks, `settings.ini`. Every error names the nearest right spelling."""
import ast
import configparser
import difflib
import json
import os
import re
import sys
from pathlib import Path

PROFILES = ("smoke", "cpu", "gpu")


class CourseError(Exception):
    "A mistake in a command or in `settings.ini`; the text says what to write instead."


def find_root(start=None) -> Path:
    "The checkout: the folder with `nbs/` and `settings.ini` at or above `start`, the current folder, or the package's own."
    here = [Path(start)] if start else [Path.cwd(), Path(__file__).parents[2]]
    for folder in here:
        for p in (folder.resolve(), *folder.resolve().parents):
            if (p / "nbs").is_dir() and (p / "settings.ini").is_file(): return p
    raise CourseError(f"no folder with nbs/ and settings.ini at or above {here[0]}; run this inside a clone of the course")


def notebooks(root) -> list:
    "Paths of the course's notebooks, in order."
    return sorted(p for p in (Path(root) / "nbs").glob("*.ipynb") if re.match(r"\d\d_", p.name))


def nearest(word, words):
    "Text that suggests what was meant."
    near = difflib.get_close_matches(str(word), [str(w) for w in words], 1, .5)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(map(str, words)) or 'none'}"


def pick(names, paths) -> list:
    "The notebooks called `names` ('4', '04', 'quantizer', '04_quantizer' or a path), in the course's order; all where `names` is empty."
    found = set()
    for name in names:
        short = Path(name).name.removesuffix(".ipynb")
        hit = [p for p in paths if short in (p.stem, p.stem[3:], p.stem[:2]) or (short.isdigit() and int(short) == int(p.stem[:2]))]
        known = [p.stem for p in paths] + [p.stem[3:] for p in paths]
        if not hit: raise CourseError(f"no notebook is called {name!r}; {nearest(short, known)}")
        found.update(hit)
    return [p for p in paths if p in found] if names else list(paths)


def settings(root) -> configparser.ConfigParser:
    "`settings.ini`, names as written (upper and lower case kept)."
    config = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",))
    config.optionxform = str
    try: config.read(Path(root) / "settings.ini", encoding="utf8")
    except configparser.Error as e: raise CourseError(f"settings.ini: {e}") from e
    return config


def repository(root) -> tuple:
    "Owner, name and branch that the Colab links point to."
    section = settings(root)
    try: return tuple(section["repository"][k] for k in ("owner", "name", "branch"))
    except KeyError as e: raise CourseError(f"settings.ini: [repository] lacks {e}; it needs owner, name and branch") from None


def parameters(nb) -> dict:
    "Names and default values (None where not a literal) that the cell tagged `parameters` assigns."
    found = {}
    for cell in nb["cells"]:
        if "parameters" not in cell["metadata"].get("tags", ()): continue
        for line in ast.parse(source(cell)).body:
            targets = line.targets if isinstance(line, ast.Assign) else [line.target] if isinstance(line, ast.AnnAssign) else []
            try: value = ast.literal_eval(line.value)
            except (ValueError, AttributeError): value = None
            found.update({t.id: value for t in targets if isinstance(t, ast.Name)})
    return found


def source(cell) -> str:
    "Source of a cell as one string, whether read by json or by nbformat."
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def read(path) -> dict:
    "A notebook as plain JSON."
    try: return json.loads(Path(path).read_text(encoding="utf8"))
    except ValueError as e: raise CourseError(f"{Path(path).name} is not readable as a notebook: {e}") from e


def write(nb, path):
    "Write a notebook as Jupyter does, through a temporary file so that a stop in between loses nothing."
    part = Path(path).with_suffix(".part")
    part.write_text(json.dumps(nb, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf8"); os.replace(part, path)


def title(nb) -> tuple:
    "Heading and promise (the quoted line) of a notebook."
    text = source(nb["cells"][0]) if nb["cells"] else ""
    head, promise = re.search(r"^# +(.+)$", text, re.M), re.search(r"^> *(.+)$", text, re.M)
    return (head[1].strip() if head else "", promise[1].strip() if promise else "")


def profile(root, name) -> dict:
    "The parameters that profile `name` gives, as {notebook: {parameter: value}}; everything in it is checked against the notebooks."
    config, paths = settings(root), notebooks(root)
    if name not in PROFILES or name not in config: raise CourseError(f"no profile is called {name!r}; {nearest(name, PROFILES)}")
    found = {p.stem: {} for p in paths}
    for key, text in config[name].items():
        where = f"settings.ini [{name}] {key}"
        if "." not in key: raise CourseError(f"{where}: expected NOTEBOOK.PARAMETER = VALUE")
        notebook, parameter = key.split(".", 1)
        try: path, = pick([notebook], paths)
        except CourseError as e: raise CourseError(f"{where}: {e}") from None
        try: value = ast.literal_eval(text)
        except (ValueError, SyntaxError): raise CourseError(f"{where}: {text!r} is not a Python literal; text needs quotes") from None
        check_parameters({parameter: value}, parameters(read(path)), where)
        found[path.stem][parameter] = value
    return found


def check_parameters(given, has, where):
    "Raise CourseError if a given parameter is not one of the notebook's, or is of another kind than its default."
    for name, value in given.items():
        if name not in has: raise CourseError(f"{where}: the notebook has no parameter {name!r}; {nearest(name, has)}")
        default = has[name]
        kinds = {type(value), type(default)}
        if default is None or value is None or len(kinds) == 1 or kinds <= {int, float} or kinds <= {list, tuple}: continue
        raise CourseError(f"{where}: {value!r} is a {type(value).__name__}; the default {default!r} is a {type(default).__name__}")


def kernel_config():
    "On Linux kernels talk through files, not ports: two kernels that start at once can pick one port, and then both hang."
    import tempfile
    import uuid

    from traitlets.config import Config
    if sys.platform != "linux": return Config()
    return Config(KernelManager={"transport": "ipc", "connection_file": f"{tempfile.gettempdir()}/mmgen-{uuid.uuid4().hex[:12]}.json"})
