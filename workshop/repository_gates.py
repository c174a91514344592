"""Gates of the repository: gate(root) gives its problems as short texts."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import places, repo
from .page_gates import code_cells, gate

REPOSITORY_GATES = {}
REPOSITORY_MB = 50
TEXTS = (".py", ".ipynb", ".md", ".yml", ".yaml", ".toml", ".ini", ".html", ".js", ".txt")


def exported(root) -> list:
    "Modules of the library: those that notebooks export are among them."
    mmgen = Path(root) / "mmgen"
    return sorted([*mmgen.glob("*.py"), *mmgen.glob("published/*.py")])


@gate(REPOSITORY_GATES)
def modules_in_step(root):
    "Every exported module is what its notebook exports now."
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(Path(root) / "nbs", copy / "nbs", ignore=shutil.ignore_patterns(".*"))
        shutil.copy(Path(root) / "pyproject.toml", copy)
        (copy / "mmgen").mkdir()
        (copy / "mmgen/published").mkdir()
        for p in exported(root):
            shutil.copy(p, copy / p.relative_to(root))
        names = [f"nbs/{p.name}" for p in repo.notebooks(root)]
        start = (
            "import sys; sys.path.remove(''); "  # the copy holds another mmgen
            "from workshop.export import export; export(sys.argv[1:], 'mmgen')"
        )
        command = [sys.executable, "-c", start, *names]
        env = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[1]))
        done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True)
        if done.returncode:
            return [f"export fails: {done.stderr.strip().splitlines()[-1]}"]
        for p in exported(copy):
            here = Path(root) / p.relative_to(copy)
            if here.exists() and here.read_text(encoding="utf8") == p.read_text(encoding="utf8"):
                continue
            name = p.relative_to(copy).as_posix()
            bad.append(f"{name} differs from what its notebook exports; export it again")
    return bad


@gate(REPOSITORY_GATES)
def one_module_each(root):
    """Notebook NN_name exports exactly mmgen/name.py, or what its default_exp says; it exports
    nothing where mmgen/name is a package, and a second part, NNb_name, may export nothing.
    """
    bad, numbers = [], [repo.number(p.stem) for p in repo.notebooks(root)]
    bad += [
        f"number {n} stands {numbers.count(n)} times"
        for n in sorted({n for n in numbers if numbers.count(n) > 1})
    ]
    for p in repo.notebooks(root):
        code = "\n".join(repo.source(c) for _, c in code_cells(repo.read(p)))
        named = re.findall(r"^#\| *default_exp +([\w.]+)", code, re.M)
        if repo.number(p.stem)[2:] and not named and not re.search(r"^#\| *export", code, re.M):
            continue
        package = (Path(root) / "mmgen" / repo.topic_of(p.stem) / "__init__.py").exists()
        if package and not named:
            continue
        if package:
            bad.append(
                f"{p.name}: has a default_exp, and mmgen/{repo.topic_of(p.stem)} is a package "
                "written by hand; remove it"
            )
        elif len(named) != 1:
            bad.append(f"{p.name}: {len(named)} default_exp lines; expected one")
        elif not (file := Path(root, "mmgen", *named[0].split(".")).with_suffix(".py")).exists():
            bad.append(f"{p.name}: {file.relative_to(root).as_posix()} is missing; export it")
    return bad


def tracked(root) -> list:
    "Files that git keeps, or every file outside hidden and built folders where there is no git."
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True)
    if done.returncode == 0:
        return [
            p
            for name in done.stdout.decode().split("\0")
            if name and (p := Path(root) / name).is_file()
        ]
    built = {".venv", ".git", "run", "dist", "build"}
    return [
        p
        for p in Path(root).rglob("*")
        if p.is_file() and not built & set(p.relative_to(root).parts)
    ]


@gate(REPOSITORY_GATES)
def repository_is_small(root):
    "All tracked files together stay under 50 MB."
    size = sum(p.stat().st_size for p in tracked(root)) / 1e6
    return (
        [f"{size:.0f} MB tracked; expected under {REPOSITORY_MB} MB"]
        if size >= REPOSITORY_MB
        else []
    )


@gate(REPOSITORY_GATES)
def profiles_fit(root):
    "Every profile names only notebooks and parameters that exist."
    bad = []
    for name in repo.PROFILES:
        try:
            repo.profile(root, name)
        except repo.CourseError as e:
            bad.append(str(e))
    return bad


@gate(REPOSITORY_GATES)
def readme_in_step(root):
    "The README's table, badges and clone line are what the record and settings.ini give."
    from . import readme

    text = (Path(root) / "README.md").read_text(encoding="utf8")
    if readme.OPEN not in text:
        return [f"README.md lacks {readme.OPEN}"]
    shown = text.split(readme.OPEN, 1)[1].split(readme.CLOSE, 1)[0].strip()
    bad = (
        []
        if shown == readme.table(root).strip()
        else ["the README's table of notebooks is out of step; run `python3 course.py links`"]
    )
    linked = readme.relink(text, repo.repository(root)) == text
    return bad + (
        []
        if linked
        else ["the README's links do not follow settings.ini; run `python3 course.py links`"]
    )


ADDRESS = re.compile(
    r"(?:github\.com|colab\.research\.google\.com/github)/([\w.-]+)/(mmgen[\w.-]*?)(?:\.git)?(?=[/@#\s\"')\]]|$)"
)
BY_NAME = re.compile(
    r"pip3? install (?:-{1,2}[\w-]+ )*[\"']?mmgen(?:-course)?(?![\w\s-]*@)\b[\"']?(?!/)"
)


@gate(REPOSITORY_GATES)
def own_address(root):
    """No address of the course but the one in settings.ini, and no advice to install it by a name
    that belongs to others.
    """
    repository, bad = repo.repository(root), []
    for path in tracked(root):
        if path.suffix not in TEXTS:
            continue
        where, text = path.relative_to(root), path.read_text(encoding="utf8", errors="replace")
        if where.parts[0] == "tests":
            continue  # what tests plant
        for m in ADDRESS.finditer(text):
            if (m[1], m[2]) != (repository.owner, repository.name):
                bad.append(f"{where.as_posix()}: {m[0]} is not the address in settings.ini")
        for m in BY_NAME.finditer(text):
            bad.append(f"{where.as_posix()}: {m[0]!r}: that name on an index is another package")
    return bad


@gate(REPOSITORY_GATES)
def nothing_unsafe(root):
    "No pickle is read and no code is fetched at run time."
    unsafe = re.compile(
        r"weights_only\s*=\s*False|\bpickle\.loads?\(|allow_pickle\s*=\s*True|torch\.hub\.load\("
    )
    ours = [p.relative_to(root) for p in tracked(root) if p.suffix in (".py", ".ipynb")]
    ours = [p for p in ours if p.parts[0] in ("mmgen", "nbs", "data", "benchmarks")]
    return [
        f"{p.as_posix()}: {m[0]}"
        for p in ours
        if (m := unsafe.search((Path(root) / p).read_text(encoding="utf8")))
    ]


@gate(REPOSITORY_GATES)
def places_in_step(root):
    "The package knows in which notebook, under which heading, each exercise stands."
    file = Path(root) / places.FILE
    if file.exists() and file.read_text(encoding="utf8") == places.text(root):
        return []
    return [f"{places.FILE} is not what the notebooks say; run `python3 course.py links`"]
