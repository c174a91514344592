"""Every notebook and the repository pass every gate; public names have docstrings; nothing names a
place outside.
"""

import ast
import importlib
import re
import subprocess
from pathlib import Path

import pytest

from workshop import gates, page_gates, repo

ROOT = Path(__file__).parents[2]
NOTEBOOKS = repo.notebooks(ROOT)
MODULES = sorted(p for place in ("mmgen", "workshop") for p in (ROOT / place).rglob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
@pytest.mark.parametrize("gate", gates.NOTEBOOK_GATES)
def test_notebook(path, gate):
    assert gates.NOTEBOOK_GATES[gate](repo.read(path), path, ROOT) == []


@pytest.mark.parametrize("gate", gates.REPOSITORY_GATES)
def test_repository(gate):
    assert gates.REPOSITORY_GATES[gate](ROOT) == []


def test_every_gate_is_tested():
    text = (ROOT / "tests" / "workshop" / "test_gates.py").read_text(encoding="utf8")
    assert [g for g in gates.REPOSITORY_GATES if f'REPOSITORY_GATES["{g}"]' not in text] == []


def public(tree):
    """Public functions and classes of a module, and the public methods of the classes, as (name,
    node).
    """
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef) and not any(
                getattr(b, "id", "") == "Exercise" for b in node.bases
            ):
                methods = [
                    m
                    for m in node.body
                    if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")
                ]
                yield from ((f"{node.name}.{m.name}", m) for m in methods)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_module_imports_a_private_name(path):
    tree = ast.parse(path.read_text(encoding="utf8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [name.name for node in imports for name in node.names]
    assert [n for n in names if n.startswith("_") and not n.startswith("__")] == []


FORWARD = {
    "forward"
}  # torch's method: its shapes are in the signature and the class says what it is


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_public_names_have_docstrings(path):
    tree = ast.parse(path.read_text(encoding="utf8"))
    lacking = [
        name
        for name, node in public(tree)
        if not ast.get_docstring(node) and name.split(".")[-1] not in FORWARD
    ]
    assert not lacking, f"without a docstring: {', '.join(lacking)}"
    assert ast.get_docstring(tree) or path.name == "__init__.py", "the module has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_function_is_longer_than_a_screen(path):
    tree = ast.parse(path.read_text(encoding="utf8"))
    checker = (
        path.parent.name == "exercises"
    )  # a checker is a list of questions, each of five lines
    limit = 110 if checker else 66
    long = [
        n.name
        for n in ast.walk(tree)
        if isinstance(n, ast.FunctionDef) and n.end_lineno - n.lineno + 1 > limit
    ]
    assert not long, f"over {limit} lines: {long}"


def test_imports_go_down_the_course():
    # the notebooks 02, 02b and 02c are one lesson; `lint-imports` says which way they import
    order = {p.stem.partition("_")[2]: int(p.stem[:2]) for p in NOTEBOOKS}
    names = {"tour": "core"}
    order = {names.get(k, k): n for k, n in order.items()}
    for module, n in order.items():
        if (ROOT / "mmgen" / module).is_dir() or module.startswith("published_"):
            continue  # a package, which its notebook explains, or a part of `mmgen.published`
        if not (ROOT / "mmgen" / f"{module}.py").exists():
            continue  # a second part that exports nothing; the gate `one module each` knows which
        text = (ROOT / "mmgen" / f"{module}.py").read_text(encoding="utf8")
        for other in re.findall(
            r"^\s*from \.(\w+) import|^\s*from mmgen\.(\w+) import", text, re.M
        ):
            other = other[0] or other[1]
            assert other not in order or order[other] <= n, (
                f"mmgen/{module}.py imports mmgen/{other}.py, which comes later"
            )


def test_wheel_needs_no_course_packages():
    for path in (ROOT / "mmgen").glob("*.py"):
        heads = [
            n
            for n in ast.parse(path.read_text(encoding="utf8")).body
            if isinstance(n, (ast.Import, ast.ImportFrom))
        ]
        names = {
            (getattr(n, "module", None) or n.names[0].name).split(".")[0]
            for n in heads
            if not getattr(n, "level", 0)
        }
        heavy = {
            "papermill",
            "nbdev",
            "fastcore",
            "jupyterlab",
            "nbclient",
            "jupytext",
            "matplotlib",
            "ipywidgets",
            "IPython",
        }
        assert not names & heavy, path.name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_lesson_needs_only_what_is_installed(path):
    code = "\n".join(repo.source(c) for _, c in page_gates.code_cells(repo.read(path)))
    assert not re.findall(r"^\s*(?:from|import) (?:workshop|recipes|tests)\b.*", code, re.M)


def test_ci_script_is_valid_shell():
    assert subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")]).returncode == 0


def test_workflows_are_valid_and_say_what_they_do():
    import yaml

    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf8"))
    gpu = yaml.safe_load((ROOT / ".github/workflows/gpu.yml").read_text(encoding="utf8"))
    assert any(s.get("run") == "bash .ci/run" for s in ci["jobs"]["everything"]["steps"])
    matrix = ci["jobs"]["set-up"]["strategy"]["matrix"]
    assert {"macos-latest", "windows-latest"} <= set(matrix["os"]) and matrix["python"] == [
        "3.10",
        "3.13",
    ]
    steps = gpu["jobs"]["gpu"]["steps"]
    assert any("--profile gpu" in s.get("run", "") for s in steps) and any(
        "upload-artifact" in s.get("uses", "") for s in steps
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_package_imports_its_own_modules_relatively(path):
    package = path.relative_to(ROOT).parts[0]
    tree = ast.parse(path.read_text(encoding="utf8"))
    imports = [n for n in tree.body if isinstance(n, ast.ImportFrom)]
    assert not [n.module for n in imports if (n.module or "").split(".")[0] == package]


@pytest.mark.parametrize("path", sorted((ROOT / "workshop").glob("*.py")), ids=lambda p: p.stem)
def test_every_part_of_the_workshop_can_be_imported(path):
    if path.stem != "__main__":
        importlib.import_module(f"workshop.{path.stem}")


POSIX = {
    "resource",
    "fcntl",
    "pwd",
    "grp",
    "termios",
    "tty",
    "pty",
    "posix",
    "syslog",
    "readline",
    "crypt",
    "nis",
}
SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), ROOT / "course.py"]


def at_import(tree):
    """Modules that a file imports the moment it is imported itself; what stands in a function, a
    `try` or an `if` is not among them.
    """
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_file_is_imported_on_windows_too(path):
    assert not POSIX & set(at_import(ast.parse(path.read_text(encoding="utf8"))))


def test_every_file_of_the_repository_has_a_name_that_windows_takes():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    names = listed.decode().split("\0")[:-1]
    assert not [
        n
        for n in names
        if re.search(r'[<>:"|?*\\]|[. ]$|(^|/)(con|prn|aux|nul|com\d|lpt\d)(\.|/|$)', n, re.I)
    ]
    assert len({n.lower() for n in names}) == len(names)
