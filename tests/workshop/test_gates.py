"""Every gate fires on a planted defect and is silent on a good notebook."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from course_fixtures import SETTINGS, code, make_course, notebook, picture, prose, stream

from workshop import gates, links, readme, repo, repository_gates
from workshop.gates import NOTEBOOK_GATES, REPOSITORY_GATES

REPOSITORY = repo.Repository("someone", "course", "main")


def good():
    "A notebook that passes every gate."
    return notebook(
        prose(
            "# One question?\n> A promise.\n\n*About 3 minutes on two CPU "
            f"cores.*\n\n{links.badge(REPOSITORY, '01_a')}"
        ),
        code(links.setup_source(REPOSITORY), 1, tags=["setup"]),
        code("#| default_exp a", 2),
        code("seed = 0\ndevice = 'cpu'", 3, tags=["parameters"]),
        prose(
            "## Six numbers\nA 2 x 3 codebook, $\\beta = 0.25$ and `x = 3.1415` (Kingma & "
            "Welling 2014, section 2.31; arXiv 1312.6114)."
        ),
        code("import matplotlib.pyplot as plt", 4, [picture()]),
        code(
            "with Stopwatch() as clock: run()\nprint(clock.wall)",
            5,
            [stream("0.31 s on 2 threads\n")],
        ),
        code("\n".join(f"step_{i} = {i}" for i in range(15)), 6, tags=["whole"]),
        prose("### Exercise 1.1 · Add\n*Difficulty ●○○○○ · asked ●○○○○ · 5 minutes*\n\nAdd."),
        code(
            'def code_bits(grid, n_codes): ...\n\ncheck("tour.code_bits", code_bits)',
            7,
            [stream("· tour.code_bits: not attempted\n")],
        ),
        prose("## In the interview\nSay it aloud for two minutes."),
    )


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path / "course", n01_a=good())


def problems(course, nb, gate):
    "What one gate says of a notebook."
    path = course / "nbs" / "01_a.ipynb"
    path.write_text(json.dumps(nb), encoding="utf8")
    return NOTEBOOK_GATES[gate](nb, path, course)


def change(**new):
    "A defect: set these fields of cell `cell`."

    def plant(nb):
        nb["cells"][new["cell"]].update({k: v for k, v in new.items() if k != "cell"})

    return plant


def add(*cells):
    "A defect: put cells at the end."

    def plant(nb):
        for i, c in enumerate(cells):
            c["id"] = c["id"] or f"added{i}"
            nb["cells"].append(c)

    return plant


def before(*cells):
    "A defect: put cells before the exercises."

    def plant(nb):
        nb["cells"][8:8] = cells

    return plant


def said(text):
    return add(prose(text))


def printed(*outputs):
    return add(code("show()", 8, outputs))


ERROR = dict(output_type="error", ename="ValueError", evalue="no", traceback=[])
WIDGET = dict(
    output_type="display_data",
    metadata={},
    data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": ["slider"]},
)
DEFECTS = [
    ("valid", lambda nb: nb["cells"][3].pop("outputs"), "not a valid notebook"),
    ("run in order", change(cell=5, execution_count=9), "cell 6: execution count 9, expected 4"),
    (
        "run in order",
        change(cell=6, execution_count=None),
        "cell 7: execution count None, expected 5",
    ),
    ("no errors stored", printed(ERROR), "stored error ValueError: no"),
    ("no errors stored", printed(stream("Warning!", "stderr")), "stored standard error: Warning!"),
    ("clean metadata", lambda nb: nb["metadata"].update(widgets={}), "'widgets'"),
    (
        "clean metadata",
        lambda nb: nb["metadata"]["language_info"].update(version="3.11"),
        "language_info.version",
    ),
    (
        "clean metadata",
        change(cell=5, metadata={"execution": {"start": 1}}),
        "cell 6: metadata 'execution'",
    ),
    ("clean metadata", printed(WIDGET), "a widget view is stored"),
    ("claims hold", change(cell=4, metadata={"claims": ["a: b > c"]}), "names no two cells"),
    ("stable ids", change(cell=5, id="cell0001"), "'cell0001' stands 2 times"),
    ("stable ids", lambda nb: nb["cells"][2].pop("id"), "cell 3: has no id"),
    ("parameters cell", change(cell=3, metadata={}), "0 cells are tagged"),
    ("parameters cell", change(cell=3, source=["seed = 0"]), "does not set device"),
    (
        "linked",
        change(cell=0, source=["# One question?\n", "> A promise."]),
        "does not end in its Colab badge",
    ),
    ("linked", change(cell=1, source=["%pip install something"]), "not the generated set-up cell"),
    ("headings", said("# Another title"), "2 titles"),
    ("headings", change(cell=0, source=["# One question?"]), "no promise"),
    ("headings", said("#### Too deep"), "skips a level"),
    ("figures show something", printed(picture(colours=1)), "is one colour"),
    ("figures show something", printed(picture(size=(4, 4))), "4 x 4 pixels"),
    ("no places", printed(stream("saved to /home/ann/x.pt")), "/home/ann/x.pt"),
    ("no places", printed(stream("C:\\Users\\ann\\x.pt")), "its output names"),
    ("no places", printed(stream("<Model at 0x7f3a5c001230>")), "at 0x7f3a5c001230"),
    (
        "form",
        before(*[prose("A sentence of this many words, which stands alone here.")] * 70),
        "cells",
    ),
    ("form", change(cell=7, source=["step = 1"]), "have [1] lines; expected one of 15 to 25"),
    ("form", change(cell=7, metadata={}), "have no lines"),
    ("form", before(code("\n".join(["x = 1"] * 13), 3)), "13 lines of code; expected at most 12"),
    (
        "form",
        before(code("\n".join(["#| export", *["x = 1"] * 45]), 3)),
        "46 lines of code; expected at most 45",
    ),
    ("form", before(prose("word " * 61)), "61 words; expected at most 60"),
    ("form", before(*[prose("word " * 50)] * 3), "have 50 words; expected 12-45"),
    ("form", before(*[prose("Too short.")] * 3), "have 2 words; expected 12-45"),
    ("small", printed(stream("x" * 1_100_000)), "expected under 1 MB"),
    ("small", add(code("\n".join(f"x{i} = {i}" for i in range(91)), 7)), "91 lines of code"),
    ("no typed results", said("It took 12.5 s on my machine."), "'12.5 s'"),
    ("no typed results", said("PSNR reached 24.3 dB."), "'24.3 dB'"),
    ("no typed results", said("The loss fell to 0.0315 here."), "'0.0315'"),
    ("no typed results", said("Usage was 87 % after that."), "'87 %'"),
    ("no typed results", said("| method | PSNR |\n|---|---|\n| ours | 24.27 |"), "'24.27'"),
    (
        "times name the machine",
        change(cell=6, outputs=[stream("0.31 s\n")]),
        "no output names the machine",
    ),
    (
        "citations",
        said("Found by Kingma & Welling 2013."),
        "cell 12: 'Kingma & Welling 2013' is not in",
    ),
    (
        "citations",
        said("Found by Kingma & Welling 2013."),
        "data/references.yaml; it has Kingma & Welling 2014",
    ),
    ("citations", said("Found by Kingma et al. (2014)."), "'Kingma et al. 2014' is not in"),
    ("citations", said("Found by K. et al. 2014."), "is no citation of a known form"),
    (
        "citations",
        said("(Kingma and Welling 2014, arXiv:1312.6115)"),
        "is given arXiv:1312.6115; kingma2014 has 1312.6114",
    ),
    (
        "citations",
        said("See https://arxiv.org/abs/2112.00384 for more."),
        "arXiv:2112.00384 is not in data/references.yaml",
    ),
    (
        "exercises are open",
        change(cell=9, outputs=[stream("✓ tour.code_bits: passed\n")]),
        "not stored as 'not attempted'",
    ),
]


@pytest.mark.parametrize("gate", NOTEBOOK_GATES)
def test_silent_on_a_good_notebook(course, gate):
    assert problems(course, good(), gate) == []


@pytest.mark.parametrize(
    "gate,plant,words", DEFECTS, ids=[f"{g}-{i}" for i, (g, _, _) in enumerate(DEFECTS)]
)
def test_fires_on_a_defect(course, gate, plant, words):
    nb = copy.deepcopy(good())
    plant(nb)
    found = problems(course, nb, gate)
    assert found and any(words in p for p in found), found


def test_every_notebook_gate_is_shown_to_fire():
    assert {g for g, _, _ in DEFECTS} == set(NOTEBOOK_GATES)


@pytest.mark.parametrize(
    "text",
    [
        "Python 3.12 and torch 2.13.0 on Colab.",
        "A 7x7 grid of 512 codes is 441 bits.",
        "See equations 3.12 and 4.15, or figure 2.",
        "Half of them, $0.125$.",
        "Pixels lie in [-1, 1]; beta is 0.25; noise 0.1.",
        "At 8 kHz a second is 8000 samples.",
        "[paper](https://arxiv.org/abs/2112.00384)",
        "```\n12.5 s\n```",
        "| symbol | variable |\n|---|---|\n| $\\beta$ | 0.999 |",
        "Exactly 1.585 bits. <!-- exact -->",
        "It takes two minutes.",
        "In 2017 and 1,000 steps.",
    ],
)
def test_honest_numbers_pass(course, text):
    nb = good()
    said(text)(nb)
    assert problems(course, nb, "no typed results") == []


def test_seconds_of_sound_are_no_measured_time(course):
    nb = good()
    nb["cells"][6] = code("print(speech)", 5, [stream("2 s of speech\n")], id="speech")
    assert problems(course, nb, "times name the machine") == []


def test_citations_need_a_bibliography(course):
    (course / "data/references.yaml").write_text("- key: kingma2014\n")
    assert problems(course, good(), "citations") == [
        "references.yaml: kingma2014: title: is missing"
    ]
    (course / "data/references.yaml").unlink()
    assert "data/references.yaml is missing" in problems(course, good(), "citations")[0]


def test_a_leaked_solution_is_found(course):
    from mmgen.exercises import exercise

    body = exercise("tour.psnr").source()
    nb = good()
    starter = code(
        'def psnr(x, x_hat): ...\n\ncheck("tour.psnr", psnr)', 7, [stream("not attempted")]
    )
    add(prose("### Exercise 1.2 · PSNR"), starter, prose(f"The answer is:\n```\n{body}\n```"))(nb)
    assert any(
        "holds the solution of exercise tour.psnr" in p
        for p in problems(course, nb, "exercises are open")
    )


# The repository


def export(course):
    "Put the module that the notebook exports beside it."
    (course / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[tool.nbdev]\nlib_path = "mmgen"\nnbs_path = "nbs"\n'
    )
    nb = good()
    add(code("#| export\ndef f(): return 1", 7))(nb)
    (course / "nbs/01_a.ipynb").write_text(json.dumps(nb), encoding="utf8")
    command = [sys.executable, "-m", "workshop.export", "mmgen", "nbs/01_a.ipynb"]
    env = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
    subprocess.run(command, cwd=course, env=env, check=True)


def test_modules_in_step(course):
    export(course)
    assert REPOSITORY_GATES["modules in step"](course) == []
    module = course / "mmgen/a.py"
    module.write_text(module.read_text().replace("return 1", "return 2"))
    assert "mmgen/a.py differs" in REPOSITORY_GATES["modules in step"](course)[0]


def test_one_module_each(course):
    (course / "mmgen/a.py").write_text("")
    assert REPOSITORY_GATES["one module each"](course) == []
    (course / "mmgen/a.py").unlink()
    assert "mmgen/a.py is missing" in REPOSITORY_GATES["one module each"](course)[0]
    (course / "nbs/01_b.ipynb").write_text(json.dumps(notebook(prose("# x"))))
    assert any("number 01 stands 2 times" in p for p in REPOSITORY_GATES["one module each"](course))


def test_a_notebook_explains_a_package_and_exports_nothing(course):
    (course / "mmgen/a.py").write_text("")
    (course / "mmgen/p").mkdir()
    (course / "mmgen/p/__init__.py").write_text("")
    (course / "nbs/02_p.ipynb").write_text(json.dumps(notebook(prose("# x"))))
    assert REPOSITORY_GATES["one module each"](course) == []
    (course / "nbs/02_p.ipynb").write_text(
        json.dumps(notebook(prose("# x"), code("#| default_exp p")))
    )
    assert "mmgen/p is a package written by hand" in REPOSITORY_GATES["one module each"](course)[0]


def test_repository_is_small(course, monkeypatch):
    assert REPOSITORY_GATES["repository is small"](course) == []
    monkeypatch.setattr(repository_gates, "REPOSITORY_MB", 0.001)
    assert "expected under 0.001 MB" in REPOSITORY_GATES["repository is small"](course)[0]


def test_profiles_fit(course):
    assert REPOSITORY_GATES["profiles fit"](course) == []
    (course / "settings.ini").write_text(SETTINGS.format(smoke="a.sed = 1"))
    assert "did you mean 'seed'?" in REPOSITORY_GATES["profiles fit"](course)[0]


def test_readme_in_step(course):
    assert "run `python3 course.py links`" in REPOSITORY_GATES["readme in step"](course)[0]
    readme.link_all(course)
    assert REPOSITORY_GATES["readme in step"](course) == []
    file = course / "README.md"
    file.write_text(
        file.read_text().replace("git clone https://github.com/someone", "git clone https://else")
    )
    assert "do not follow settings.ini" in REPOSITORY_GATES["readme in step"](course)[0]


TABLE = """<table border="1" class="dataframe"><thead><tr><th></th><th>accuracy</th><th>steps</th>
</tr></thead><tbody><tr><th>nothing</th><td>0.683 ± 0.010</td><td>300</td></tr>
<tr><th>shifts</th><td>0.715 ± 0.012</td><td>300</td></tr>
<tr><th>dropout .5</th><td>0.690 ± 0.019</td><td>1,200</td></tr></tbody></table>"""


def claiming(*claims):
    "A notebook with one table and a conclusion that claims this."
    nb = good()
    output = dict(output_type="execute_result", execution_count=8, metadata={})
    output["data"] = {"text/html": TABLE, "text/plain": "a frame"}
    nb["cells"][8:8] = [code("frame", 8, [output]), prose("The conclusion of this table.")]
    nb["cells"][9]["metadata"]["claims"] = list(claims)
    return nb


@pytest.mark.parametrize(
    "claim",
    [
        "accuracy: shifts > nothing",
        "accuracy: nothing < shifts",
        "accuracy: dropout .5 = nothing",
        "steps: nothing = shifts",
        "steps: dropout .5 > 3 * nothing",
        "nothing: accuracy < steps",
    ],
)
def test_a_claim_that_holds(course, claim):
    assert problems(course, claiming(claim), "claims hold") == []


@pytest.mark.parametrize(
    "claim,words",
    [
        ("accuracy: nothing > shifts", "0.683 ± 0.01 and 0.715 ± 0.012: below"),
        ("accuracy: dropout .5 > nothing", "0.69 ± 0.019 and 0.683 ± 0.01: a tie"),
        ("accuracy: shifts = nothing", "0.715 ± 0.012 and 0.683 ± 0.01: above"),
        ("steps: dropout .5 > 4 * nothing", "1200 and 300: a tie"),
        ("accuracy: flips > nothing", "names no two cells of one frame"),
        ("loss: shifts > nothing", "names no two cells of one frame"),
        ("shifts are better", "is no claim"),
    ],
)
def test_a_claim_that_does_not_hold(course, claim, words):
    found = problems(course, claiming("accuracy: shifts > nothing", claim), "claims hold")
    assert len(found) == 1 and found[0].startswith("cell 10: ") and words in found[0]


def test_a_claim_without_a_table_above_it(course):
    nb = claiming("accuracy: shifts > nothing")
    nb["cells"][8:10] = reversed(nb["cells"][8:10])
    assert "names no two cells" in problems(course, nb, "claims hold")[0]


def test_places_in_step(course):
    readme.link_all(course)
    assert REPOSITORY_GATES["places in step"](course) == []
    nb = good()
    nb["cells"].append(prose("### Exercise 1.9 · A new one"))
    nb["cells"].append(code('check("data.new", new)', 8))
    (course / "nbs/01_a.ipynb").write_text(json.dumps(nb))
    assert "run `python3 course.py links`" in REPOSITORY_GATES["places in step"](course)[0]
    readme.link_all(course)
    assert REPOSITORY_GATES["places in step"](course) == []
    stored = json.loads((course / "mmgen/exercises/places.json").read_text(encoding="utf8"))
    assert stored["data.new"] == "01_a#Exercise 1.9 · A new one"


def test_nothing_unsafe(course):
    assert REPOSITORY_GATES["nothing unsafe"](course) == []
    (course / "mmgen/bad.py").write_text("import torch\ntorch.load('x', weights_only=False)\n")
    assert REPOSITORY_GATES["nothing unsafe"](course) == ["mmgen/bad.py: weights_only=False"]


def test_check_prints_the_place(course, monkeypatch, capsys):
    nb = good()
    printed(ERROR)(nb)
    (course / "nbs/01_a.ipynb").write_text(json.dumps(nb))
    monkeypatch.chdir(course)
    assert gates.main(["01"]) == 1
    out = capsys.readouterr().out
    assert "01_a.ipynb" in out and "no errors stored: cell 12: stored error" in out
    assert gates.main(["01"], listing=True) == 0 and "run in order" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "see https://github.com/mmgen/mmgen/blob/main/README.md",
        "git clone https://github.com/mmgen/mmgen.git",
        "https://colab.research.google.com/github/mmgen/mmgen/blob/main/nbs/01_a.ipynb",
        "pip install mmgen",
        "pip install --force-reinstall mmgen",
        "pip install -U 'mmgen-course'",
    ],
)
def test_no_address_but_our_own_and_no_install_by_name(course, text):
    assert REPOSITORY_GATES["own address"](course) == []
    (course / "mmgen/notes.md").write_text(f"{text}\n")
    problem = REPOSITORY_GATES["own address"](course)[0]
    assert "mmgen/notes.md" in problem
    (course / "mmgen/notes.md").write_text("https://github.com/someone/course.git, pip install .\n")
    assert REPOSITORY_GATES["own address"](course) == []
