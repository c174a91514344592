"""The question bank, `data/questions/TOPIC.yaml`: `load_questions(topic)`, `all_questions()`,
`find(id)`, each entry checked.
"""

import difflib
import functools
import re
from pathlib import Path

from .checkout import topic_of
from .schema import KINDS, LANGUAGES, LEVELS, BankError, check_questions

__all__ = [
    "TOPICS",
    "NOTEBOOKS",
    "LEVELS",
    "LANGUAGES",
    "KINDS",
    "BankError",
    "check_questions",
    "load_questions",
    "all_questions",
    "find",
]
ORDER = (
    "00_tour",
    "01_data",
    "01b_sound",
    "01c_triples",
    "02_training",
    "02b_optimizers",
    "02c_batches",
    "02d_runs",
    "03_autoencoder",
    "03b_vae",
    "04_quantizer",
    "04b_codebooks",
    "05_vqvae",
    "05b_codes",
    "06_metrics",
    "06b_features",
    "06c_report",
    "07_vqgan",
    "07b_published_vqgan",
    "08_attention",
    "08b_transformer",
    "09_priors",
    "09b_masked",
    "10_diffusion",
    "10a_predictions",
    "10b_chain",
    "10c_likelihood",
    "11_samplers",
    "11b_guidance",
    "12_dit",
    "12b_published_dit",
    "13_latent",
    "13b_editing",
    "19_interview",
)
NOTEBOOKS = {topic_of(name): name for name in ORDER}  # topic -> notebook, in their order


def _folder():
    """Folder of the bank, in the checkout or in the installed package; as `mmgen.core.data_path`,
    without torch.
    """
    package = Path(__file__).resolve().parents[1]
    return next(
        (
            f
            for f in (package / "_data" / "questions", package.parent / "data" / "questions")
            if f.is_dir()
        ),
        package / "questions",
    )


TOPICS = tuple(topic for topic in NOTEBOOKS if (_folder() / f"{topic}.yaml").exists())


def read_bank(file):
    "The checked entries of one YAML file."
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        "The safe loader, which also refuses a key that stands twice in one mapping."

    def mapping(loader, node):
        found = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = loader.construct_object(key, deep=True)
            if not isinstance(name, (str, int, float)):
                raise BankError(f"{file.name}: line {line}: {name!r} is a key; expected a text")
            if name in found:
                raise BankError(f"{file.name}: line {line}: {name!r} stands twice in one mapping")
            found[name] = loader.construct_object(value, deep=True)
        return found

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    file = Path(file)
    try:
        text = file.read_bytes().decode("utf8")
    except UnicodeDecodeError as e:
        raise BankError(f"{file.name}: is not UTF-8: byte {e.start}") from e
    if text.startswith("\ufeff"):
        raise BankError(f"{file.name}: begins with a byte-order mark; save it as UTF-8 without one")
    if tab := re.search(r"^ *\t", text, re.M):
        raise BankError(
            f"{file.name}: line {text.count(chr(10), 0, tab.start()) + 1}: begins with a tab; "
            "expected spaces"
        )
    try:
        if "*" in text:  # a text may hold one; an alias, which can grow without bound, may not
            for event in yaml.parse(text, Loader):
                if isinstance(event, yaml.AliasEvent):
                    line = event.start_mark.line + 1
                    raise BankError(
                        f"{file.name}: line {line}: *{event.anchor} is an alias; write it out"
                    )
        entries = yaml.load(text, Loader)
    except yaml.YAMLError as e:
        line = f"line {e.problem_mark.line + 1}: " if getattr(e, "problem_mark", None) else ""
        raise BankError(
            f"{file.name}: {line}not readable as YAML: {getattr(e, 'problem', e)}"
        ) from e
    return check_questions(entries, file.name)


@functools.cache
def _cached(file, modified):
    return read_bank(file)


def load_questions(topic):
    "The checked questions of one topic (`data/questions/TOPIC.yaml`), a list of dicts."
    if topic not in TOPICS:
        raise ValueError(f"topic={topic!r}; expected one of {', '.join(TOPICS)}")
    file = _folder() / f"{topic}.yaml"
    if not file.exists():
        raise FileNotFoundError(
            f"{file.name} is not among the embedded data; `git checkout -- data`, or reinstall "
            "mmgen"
        )
    return [dict(q) for q in _cached(file, file.stat().st_mtime_ns)]


def all_questions():
    "The questions of every topic, in the order of the notebooks; an id stands once."
    seen, found = {}, []
    for topic in TOPICS:
        for q in load_questions(topic):
            if q["id"].split(".")[0] != topic:
                raise BankError(f"{topic}.yaml: {q['id']}: id: expected to begin with {topic}.")
            if q["id"] in seen:
                raise BankError(f"{topic}.yaml: {q['id']}: id: stands also in {seen[q['id']]}.yaml")
            seen[q["id"]] = topic
            found.append(q)
    return found


def find(id):
    "The question called `id`; an unknown id raises KeyError with the nearest ones."
    bank = {q["id"]: q for q in all_questions()}
    if id in bank:
        return bank[id]
    near = difflib.get_close_matches(str(id), bank, 3, 0.4)
    raise KeyError(
        f"no question is called {id!r}; "
        + (f"near: {', '.join(near)}" if near else f"topics: {', '.join(TOPICS)}")
    )
