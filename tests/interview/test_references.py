"""The bibliography is whole, citations of every form are found, and every citation of the course
means one work.
"""

import copy
import re
from pathlib import Path

import pytest
import yaml

from mmgen.interview import references as refs
from workshop import repo
from workshop.repo import CourseError

ROOT = Path(__file__).parents[2]
WORKS = refs.bibliography(ROOT)
TEXTS = [p for p in sorted((ROOT / "mmgen").rglob("*.py"))] + sorted(
    (ROOT / "data" / "questions").glob("*.yaml")
)
TEXTS += [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md")]
GOOD = [
    dict(
        key="doe2020a",
        title="One",
        authors=["Doe", "others"],
        year=2020,
        venue="ICLR 2021",
        arxiv="2003.00001",
        short="Uno",
    ),
    dict(
        key="doe2020b",
        title="Two",
        authors=["Doe", "others"],
        year=2020,
        arxiv="2004.00002",
        short="Uno++",
    ),
    dict(
        key="oehman1999",
        title="Three",
        authors=["van Oehman", "Ström", "Li"],
        year=1999,
        doi="10.1000/x",
    ),
    dict(key="li2021", title="Four", authors=["Li"], year=2021, url="https://example.org"),
]


# The file


def test_entries_are_sorted_and_have_the_form():
    assert [e["key"] for e in WORKS] == sorted(e["key"] for e in WORKS)
    assert all(e["title"].strip(" .") == e["title"] for e in WORKS)


def test_the_embedded_file_is_found():
    assert refs.bibliography() == WORKS


@pytest.mark.parametrize(
    "change,words",
    [
        (lambda e: e[0].pop("title"), "doe2020a: title: is missing"),
        (lambda e: e[0].update(titel="One"), "doe2020a: titel: is not a field"),
        (
            lambda e: e[0].update(arxiv=2003.00001),
            "doe2020a: arxiv: is 2003.00001, a float; expected a str",
        ),
        (lambda e: e[0].update(year="2020"), "doe2020a: year: is '2020', a str"),
        (lambda e: e[0].update(title=""), "doe2020a: title: is empty"),
        (
            lambda e: e[0].update(arxiv="math/0001"),
            "doe2020a: arxiv: is 'math/0001'; expected the form",
        ),
        (lambda e: e[3].pop("url"), "li2021: venue: is missing"),
        (
            lambda e: e[0].update(year=2019, key="doe2019"),
            "doe2019: year: is 2019; venue and arxiv say 2021 and 2020",
        ),
        (
            lambda e: e[0].update(authors=["A", "B", "C", "D"]),
            "doe2020a: authors: has 4 names; expected at most three, or [A, others]",
        ),
        (
            lambda e: e[0].update(authors=["Doe", "Roe", "others"]),
            "doe2020a: authors: is ['Doe', 'Roe', 'others']; expected [First, others]",
        ),
        (
            lambda e: e[2].update(key="vanoehman1999"),
            "vanoehman1999: key: is 'vanoehman1999'; expected oehman1999",
        ),
        (lambda e: e[1].update(arxiv="2003.00001"), "doe2020b: arxiv: is that of doe2020a too"),
        (lambda e: e[1].update(title="one!"), "doe2020b: title: is that of doe2020a too"),
        (lambda e: e.append(dict(e[3], title="Five")), "li2021: key: is that of li2021 too"),
        (
            lambda e: e[1].update(key="doe2020c"),
            "doe2020a: key: expected doe2020a, doe2020b where doe2020a, doe2020c stands",
        ),
        (
            lambda e: e[3].update(key="li2021a"),
            "li2021a: key: expected li2021 where li2021a stands",
        ),
        (lambda e: e.append("Doe 2020"), "'Doe 2020': expected a mapping"),
    ],
)
def test_a_broken_entry_is_named(change, words):
    entries = copy.deepcopy(GOOD)
    assert refs.check_references(entries, "x.yaml") == GOOD
    change(entries)
    with pytest.raises(CourseError) as e:
        refs.check_references(entries, "x.yaml")
    assert str(e.value).startswith("x.yaml: ") and words in str(e.value)


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data/references.yaml"
    with pytest.raises(CourseError, match="data/references.yaml is missing"):
        refs.bibliography(tmp_path)
    path.write_text("- key: [")
    with pytest.raises(CourseError, match="references.yaml: not readable as YAML"):
        refs.bibliography(tmp_path)
    path.write_text("key: doe2020")
    with pytest.raises(CourseError, match="is a dict; expected a list"):
        refs.bibliography(tmp_path)


def test_an_edited_file_is_read_again(tmp_path):
    import os

    (tmp_path / "data").mkdir()
    path = tmp_path / "data/references.yaml"
    path.write_text(yaml.safe_dump(GOOD[:2]))
    assert len(refs.bibliography(tmp_path)) == 2
    path.write_text(yaml.safe_dump(GOOD))
    os.utime(path, (1, 1))
    assert len(refs.bibliography(tmp_path)) == 4


# Citations in a text

FORMS = """
(van den Oord et al. 2017, section 3.2) -> van den oord .. 2017
Ho et al. (2020) use -> ho .. 2020
Zhang & Sennrich 2019 -> zhang + sennrich 2019
Lim \\& Ye 2017 -> lim + ye 2017
Kingma and Welling 2014 -> kingma + welling 2014
(Gersho 1979) -> gersho 1979
Baltrušaitis, Ahuja and Morency (2019, section 1) -> baltrusaitis + ahuja + morency 2019
(Pascanu, Mikolov, Bengio 2013.) -> pascanu + mikolov + bengio 2013
Ho, Jain, and Abbeel, 2020 -> ho + jain + abbeel 2020
Loaiza-Ganem and Cunningham 2019 -> loaiza ganem + cunningham 2019
Johnson, Alahi & Fei-Fei 2016 -> johnson + alahi + fei fei 2016
Karras 等 2022，附录 F -> karras .. 2022
由Karras等人（2022） -> karras .. 2022
Blau 和 Michaeli 2018 -> blau + michaeli 2018
(Juang & Gray 1982; Zeghidour et al. 2021) -> juang + gray 1982; zeghidour .. 2021
(Song et al. 2021a, 2021b) -> song .. 2021a; song .. 2021b
Karras et al. 2022 and 2024; -> karras .. 2022; karras .. 2024
the order of\\n    # ConvNeXt, Liu et al.\\n    # 2022 -> liu .. 2022
["Ba et al. 2016", "Gersho 1979"] -> ba .. 2016; gersho 1979
min-SNR, Hang et al. 2023 -> hang .. 2023
l'article: 'Ho et al. 2020' -> ho .. 2020
""".strip().splitlines()


@pytest.mark.parametrize("line", FORMS)
def test_forms_of_a_citation(line):
    text, found = line.replace("\\n", "\n").split(" -> ")
    assert (
        "; ".join(
            " + ".join(c.names) + " .." * c.many + f" {c.year}{c.letter}"
            for c in refs.citations(text)
        )
        == found
    )


@pytest.mark.parametrize(
    "text",
    [
        "In 2017 and 1,000 steps",
        "25 November 2026",
        "ICLR 2021",
        "MNIST 1998",
        "Batches(t[:2000])",
        "torch.randn(2000, 8)",
        "N (2000.5)",
        "T2000",
        "Laplace(0., .5).sample((2000, 1))",
        "Debian 12",
        "since 2017",
        "Adam 2e-3",
    ],
)
def test_what_is_no_citation(text):
    assert refs.citations(text) == []


# Which work is meant


@pytest.mark.parametrize(
    "text,key",
    [
        ("Doe et al. 2020a", "doe2020a"),
        ("Doe et al. 2020b", "doe2020b"),
        ("Doe et al. 2020 (uno)", "doe2020a"),
        ("Doe et al. 2020 (Uno++, section 3)", "doe2020b"),
        ("Doe et al. 2020 (arXiv:2004.00002)", "doe2020b"),
        ("Uno (Doe et al. 2020, section 3)", "doe2020a"),
        ("Uno++ (Doe et al. 2020)", "doe2020b"),
        ("早先的Uno++（Doe 等 2020）", "doe2020b"),
        ("Uno++ (Doe et al. 2020b), then Uno (Doe et al. 2020a)", "doe2020b"),
        ("van Oehman et al. 1999", "oehman1999"),
        ("Van Oehman, Strom and Li (1999)", "oehman1999"),
        ("Li (2021)", "li2021"),
    ],
)
def test_one_work_is_meant(text, key):
    assert refs.resolve(refs.citations(text)[0], GOOD)["key"] == key


def test_hints_belong_to_their_own_citation():
    text = "Uno (Doe et al. 2020) and Uno++ (Doe et al. 2020); Uno, Doe et al. 2020"
    assert [refs.resolve(c, GOOD)["key"] for c in refs.citations(text)] == [
        "doe2020a",
        "doe2020b",
        "doe2020a",
    ]


@pytest.mark.parametrize(
    "text,words",
    [
        (
            "Doe et al. 2020",
            "stands for 2 works; write Doe et al. 2020a (Uno) or Doe et al. 2020b (Uno++)",
        ),
        ("Doe et al. 2020c", "stands for 2 works"),
        ("Doe et al. 2021", "it has Doe et al. 2020a, Doe et al. 2020b"),
        ("Doe & Roe 2020", "is not in data/references.yaml"),
        ("van Oehman & Ström 1999", "it has van Oehman et al. 1999"),
        ("van Oehmann et al. 1999", "it has van Oehman et al. 1999"),
        ("Li et al. 2021", "it has Li 2021"),
        ("Poe 2020", "add it, or correct the name"),
        ("Li 2021 (arXiv:2101.00001)", "is given arXiv:2101.00001; li2021 has none"),
    ],
)
def test_a_citation_of_nothing_is_told(text, words):
    with pytest.raises(CourseError) as e:
        refs.resolve(refs.citations(text)[0], GOOD)
    assert words in str(e.value)


def test_problems_of_a_text():
    assert refs.problems("Li 2021, Doe et al. 2020a (arXiv:2003.00001)", GOOD) == []
    assert refs.problems("Li 2022, and again Li 2022.", GOOD) == [
        "'Li 2022' is not in data/references.yaml; it has Li 2021"
    ]
    assert refs.problems("arXiv:1234.56789", GOOD) == [
        "arXiv:1234.56789 is not in data/references.yaml"
    ]
    assert "no citation of a known form" in refs.problems("Doe P. et al. 2020", GOOD)[0]


def test_one_line_about_a_work():
    line = (
        "van den Oord et al. 2017. Neural Discrete Representation Learning. NeurIPS 2017, "
        "arXiv:1711.00937"
    )
    assert (
        refs.cite("van den Oord et al. 2017")
        == refs.cite("van den Oord, Vinyals and Kavukcuoglu 2017")
        == line
    )
    with pytest.raises(CourseError, match="holds 0 citations; expected one"):
        refs.cite("VQ-VAE")
    assert (
        refs.titled("neural discrete representation learning.")["key"] == "oord2017"
        and refs.titled("No such work") is None
    )


def test_every_work_is_found_by_its_own_label():
    for e in WORKS:
        assert refs.resolve(refs.citations(refs.label(e))[0], WORKS) is e
        line = refs.cite(refs.label(e))
        assert e["title"] in line and all(
            str(e[field]) in line for field in refs.PLACES if field in e
        )


# The course


def cited():
    "Keys of the works that notebooks, modules, questions and pages cite."
    cells = [repo.source(c) for p in repo.notebooks(ROOT) for c in repo.read(p)["cells"]]
    texts = cells + [p.read_text(encoding="utf8") for p in TEXTS]
    return {refs.resolve(c, WORKS)["key"] for t in texts for c in refs.citations(t)}


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_citation_means_one_work(path):
    assert refs.problems(path.read_text(encoding="utf8"), WORKS) == []


def test_every_year_of_a_source_is_of_a_citation():
    for path in sorted((ROOT / "data" / "questions").glob("*.yaml")):
        for q in yaml.safe_load(path.read_text(encoding="utf8")):
            for source in map(str, q["sources"]):
                years = {int(y) for y in re.findall(r"(?<![\w.:])(?:19|20)\d\d(?![\w.])", source)}
                assert years == {c.year for c in refs.citations(source)}, (
                    f"{path.name}: {q['id']}: {source!r}"
                )


def test_what_nothing_cites_is_on_the_reading_list():
    known = cited()
    assert [e["key"] for e in WORKS if e["key"] not in known and "topic" not in e] == [], (
        "give it a topic, cite it, or drop it"
    )
