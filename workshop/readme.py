"""The README's generated parts: addresses from `settings.ini`, figures from the record of runs."""

import re
from pathlib import Path

from . import links, places, records, repo

OPEN, CLOSE = "<!-- notebooks -->", "<!-- /notebooks -->"
PARTS = ("badges", "get", "install")


def readme_part(name, repository) -> str:
    "What stands between `<!-- name -->` and `<!-- /name -->` in the README."
    web = repository.web
    if name == "badges":
        flows = [("CI", "ci"), ("GPU", "gpu")] if web else []
        page = f"{web}/actions/workflows"
        shown = [f"[![{text}]({page}/{f}.yml/badge.svg)]({page}/{f}.yml)" for text, f in flows]
        return "\n".join(shown)
    if name == "get":
        clone = f"git clone {web}.git\ncd {repository.name}\n" if web else ""
        return f"```bash\n{clone}python3 course.py\n```"
    line = f'pip install "mmgen-course @ {repository.source}"' if web else "pip install ."
    return f"```bash\n{line}\n```"


def relink(text, repository) -> str:
    "The README's text with badges, clone line and pip line as `settings.ini` gives them."
    for name in PARTS:
        between = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->", re.S)
        part = readme_part(name, repository)
        new = (
            f"<!-- {name} -->\n{part}\n<!-- /{name} -->"
            if part
            else (f"<!-- {name} -->\n<!-- /{name} -->")
        )
        text = between.sub(lambda _, new=new: new, text)
    return text


def table(root) -> str:
    """The README's table of notebooks: minutes and last green run from the record, badges from
    `settings.ini`.
    """
    runs, repository = (
        {(e["notebook"], e["profile"]): e for e in records.load(root)},
        repo.repository(root),
    )
    rows = ["| notebook | it answers | CPU | GPU | last green run | |", "|---|---|---|---|---|---|"]
    for path in repo.notebooks(root):
        head, promise = repo.title(repo.read(path))
        cpu, gpu = (runs.get((path.stem, p)) for p in ("cpu", "gpu"))
        last = green(cpu or gpu or runs.get((path.stem, "smoke")))
        link, colab = (
            f"[{repo.number(path.stem)} {head}](nbs/{path.name})",
            links.badge(repository, path.stem),
        )
        cells = [link, promise, minutes(cpu), minutes(gpu), last, colab]
        rows.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(rows + measured([e for e in runs.values() if e["profile"] != "smoke"]))


def measured(entries) -> list:
    "Where and how the recorded runs were made, as lines below the table; [] where there are none."
    if not entries:
        return []
    where = {f"{e['profile']}: {e['machine']}, Python {e['python']}" for e in entries}
    text = f"Minutes and peak memory were measured on: {'; '.join(sorted(where))}."
    at_once = max(e.get("at_once", 1) for e in entries)
    if at_once > 1:
        text += f" Up to {at_once} notebooks ran at once, so that one alone takes less."
    return ["", text]


def green(entry) -> str:
    "Date, profile, version and peak memory of a recorded run."
    return (
        f"{entry['date']}, {entry['profile']}, torch {entry['torch']}, "
        f"{entry['peak_mb'] / 1000:.1f} GB"
        if entry
        else ""
    )


def minutes(entry) -> str:
    "Minutes of a recorded run, as the table shows them."
    return f"{entry['minutes']:.1f} min" if entry else ""


def write_readme(root) -> bool:
    "Rewrite the generated parts of README.md; True if that changed it."
    file = Path(root) / "README.md"
    text = file.read_text(encoding="utf8")
    if OPEN not in text or CLOSE not in text:
        raise repo.CourseError(f"README.md lacks {OPEN} and {CLOSE} around its table of notebooks")
    head, rest = text.split(OPEN, 1)
    new = relink(
        head + OPEN + "\n" + table(root) + "\n" + CLOSE + rest.split(CLOSE, 1)[1],
        repo.repository(root),
    )
    if new != text:
        file.write_text(new, encoding="utf8", newline="\n")
    return new != text


def link_all(root) -> list:
    "Bring the notebooks and the README in step with `settings.ini`; the names of what changed."
    changed, repository = [], repo.repository(root)
    for path in repo.notebooks(root):
        nb = repo.read(path)
        if links.link(nb, path.stem, repository):
            repo.write(nb, path)
            changed.append(path.name)
    if write_readme(root):
        changed.append("README.md")
    if places.write(root):
        changed.append(places.FILE)
    return changed
