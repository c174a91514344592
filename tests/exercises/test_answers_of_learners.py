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


def some(found, right=2, wrong=4):
    "The first answers of each kind to each exercise; `mutants --answers tests/answers` judges all."
    left = {}
    for a in found:
        key = a.exercise, a.right
        left[key] = left.get(key, right if a.right else wrong) - 1
        if left[key] >= 0:
            yield a


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_answers_are_judged_as_they_say(file):
    found = answers.judge(list(some(answers.read(file))))
    assert [(j.answer.place, j.answer.title, j.fault) for j in found if j.fault] == []
