"Every answer of tests/answers is judged as its header says; fast is only that the files are whole."

from pathlib import Path

import pytest

from workshop import answers

FILES = answers.files(Path(__file__).parents[1] / "answers")


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("MMGEN_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_a_collection_is_whole(file):
    found = answers.read(file)
    assert all(a.exercise.startswith(f"{file.stem}.") for a in found)
    for id in {a.exercise for a in found}:
        mine = [a.right for a in found if a.exercise == id]
        assert sum(mine) >= 4 and len(mine) - sum(mine) >= 10, f"{id}: 4 right and 10 wrong wanted"


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_each_answer_is_judged_as_it_says(file):
    found = answers.judge(answers.read(file))
    assert [(j.answer.place, j.answer.title, j.fault) for j in found if j.fault] == []
