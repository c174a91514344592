"""Triples: image, sound and word of one digit."""

import numpy as np
import pytest
import torch
from library_fixtures import fingerprints, write_wav

from mmgen.data import SPLITS
from mmgen.sound import FreeSpokenDigits
from mmgen.triples import Triples

pytestmark = pytest.mark.usefixtures("no_network")


def test_triples(splits):
    parts = {s: Triples(s, "chinese") for s in SPLITS}
    for s, p in parts.items():
        assert (
            len(p) == len(splits[s])
            and torch.equal(p.speech.labels[p.recording], p.labels)
            and len(p.recording.unique()) == len(p.speech)
        )
    t = parts["test"][0]
    assert (
        t.label == 7
        and t.word == "七"
        and t.image.shape == (1, 28, 28)
        and t.audio.shape == (1, 6400)
    )
    batch = next(iter(torch.utils.data.DataLoader(parts["test"], 4)))
    assert (
        batch.image.shape == (4, 1, 28, 28)
        and batch.word[0] == "七"
        and batch.label.tolist() == splits["test"].labels[:4].tolist()
    )
    assert torch.equal(Triples("test", "chinese").recording, parts["test"].recording)
    prints = [fingerprints(p.speech.audio) for p in parts.values()]
    assert not (prints[0] & prints[1] or prints[0] & prints[2] or prints[1] & prints[2])


def test_triples_with_other_speech(recordings, tmp_path):
    t = Triples("valid", speech=FreeSpokenDigits("valid", recordings))
    assert torch.equal(t.speech.labels[t.recording], t.labels)
    write_wav(tmp_path / "3_george_0.wav", np.ones(9, "<i2"))
    with pytest.raises(ValueError, match="speech holds no recording of zero"):
        Triples("test", speech=FreeSpokenDigits("test", tmp_path))
