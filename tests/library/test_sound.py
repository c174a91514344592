"""Sound: rates, codes, the embedded clips, the recordings of real people, and bad files."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from library_fixtures import fingerprints, write_wav
from torch.testing import assert_close

from mmgen import sound
from mmgen.data import SPLITS, DataError
from mmgen.sound import (
    FSDD_SHA256,
    FSDD_SPEAKERS,
    FreeSpokenDigits,
    SpokenDigits,
    fetch_fsdd,
    mu_law,
    mu_law_inverse,
    read_wav,
    resample,
    spectrogram,
)

pytestmark = pytest.mark.usefixtures("no_network")


# Sound


def test_resample_keeps_what_fits_and_removes_the_rest():
    t = torch.arange(22_050) / 22_050
    low, high = torch.sin(2 * torch.pi * 900 * t), torch.sin(2 * torch.pi * 5000 * t)
    out = resample(torch.stack([low, high]), 22_050, 8000)
    assert out.shape == (2, 8000) and out.dtype == torch.float64
    assert_close(
        out[0, 200:-200],
        torch.sin(2 * torch.pi * 900 * torch.arange(8000, dtype=torch.float64) / 8000)[200:-200],
        atol=0.005,
        rtol=0,
    )
    assert out[1, 200:-200].abs().max() < 2e-3


def test_resample_up_and_lengths():
    x = torch.sin(2 * torch.pi * 500 * torch.arange(1001) / 4000)
    up = resample(x, 4000, 8000)
    assert len(up) == 2002 and len(resample(x, 8000, 3000)) == 376
    assert_close(up[200:1800:2], x[100:900].double(), atol=0.01, rtol=0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-2, 2, allow_nan=False), min_size=1, max_size=20))
def test_mu_law_is_close_and_idempotent(values):
    x = torch.tensor(values).clamp(-1, 1)
    codes = mu_law(torch.tensor(values))
    y = mu_law_inverse(codes)
    assert codes.dtype == torch.uint8 and codes.min() >= 1 and torch.equal(mu_law(y), codes)
    assert ((x - y).abs() <= 0.024 * x.abs() + 1e-4).all() and (y[x == 0] == 0).all()


def test_spectrogram_finds_the_tone():
    s = spectrogram(torch.sin(2 * torch.pi * 1000 * torch.arange(4000) / 8000).view(1, 1, -1))
    assert s.shape == (1, 1, 129, 59) and (s.argmax(2) == 32).all() and s.min() >= -80
    assert_close(
        s[0, 0, 32].mean(), torch.tensor(-6.02), atol=0.05, rtol=0
    )  # amplitude 1 is half in +f, half in -f
    with pytest.raises(ValueError, match="audio has 100 samples; expected at least n_fft=256"):
        spectrogram(torch.zeros(100))


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_speech(language):
    parts = {s: SpokenDigits(s, language) for s in SPLITS}
    assert [len(p) for p in parts.values()] == [720, 240, 240]
    for p in parts.values():
        assert (
            p.audio.shape == (len(p), 1, 6400)
            and p.audio.dtype == torch.float32
            and 0.85 < p.audio.abs().max() <= 1
        )
        assert p.labels.bincount().tolist() == [len(p) // 10] * 10 and len(p.voices) == len(p)
        assert all(
            not p.audio[i, 0, n:].any() and p.audio[i, 0, n - 1]
            for i, n in enumerate(p.lengths.tolist())
        )
        assert p.lengths.min() > 800 and p.lengths.max() <= 6400
    voices = [set(p.voices) for p in parts.values()]
    assert [len(v) for v in voices] == [12, 4, 4] and len(set.union(*voices)) == 20
    assert len(set.union(*(fingerprints(p.audio) for p in parts.values()))) == 1200


def test_speech_lengths_and_names():
    short = SpokenDigits("test", seconds=0.1)
    audio, label = short[3]
    assert (
        audio.shape == (1, 800)
        and label == 3
        and short.lengths.max() == 800
        and short.tensors()[0].shape == (240, 1, 800)
    )
    with pytest.raises(
        ValueError, match="language='mandarin'; expected one of 'english', 'chinese'"
    ):
        SpokenDigits("test", "mandarin")
    with pytest.raises(ValueError, match="seconds=0; expected a positive length"):
        SpokenDigits("test", seconds=0)


def test_read_wav(tmp_path):
    ramp = np.arange(-100, 100, dtype="<i2") * 300
    assert_close(
        read_wav(write_wav(tmp_path / "a.wav", ramp)), torch.from_numpy(ramp / 32768).float()
    )
    stereo = np.stack([ramp, -ramp], 1)
    assert not read_wav(write_wav(tmp_path / "b.wav", stereo, channels=2)).any()
    assert read_wav(write_wav(tmp_path / "c.wav", ramp, rate=16_000)).shape == (100,)


def test_bad_wav_files_are_named(tmp_path):
    good = write_wav(tmp_path / "good.wav", np.ones(100, "<i2")).read_bytes()
    cases = {
        "page.wav": b"<html>",
        "empty.wav": b"",
        "short.wav": good[:-30],
        "header.wav": good[:30],
    }
    for name, raw in cases.items():
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(DataError, match=name):
            read_wav(tmp_path / name)
    coarse = write_wav(tmp_path / "d.wav", np.ones(9, np.uint8), width=1)
    with pytest.raises(DataError, match="d.wav has 8 bits per sample; expected 16"):
        read_wav(coarse)


# The Free Spoken Digit Dataset

SPEAKERS = [s for group in FSDD_SPEAKERS.values() for s in group]


def test_fsdd_is_split_by_speaker(recordings, monkeypatch):
    parts = {s: FreeSpokenDigits(s, recordings) for s in SPLITS}
    assert [len(p) for p in parts.values()] == [80, 20, 20]
    assert {s: set(p.voices) for s, p in parts.items()} == {
        s: set(v) for s, v in FSDD_SPEAKERS.items()
    }
    assert all(
        round(p.audio[i, 0, 0].item() * 32768) % 100 - 1 == p.labels[i]
        for p in parts.values()
        for i in range(len(p))
    )
    assert parts["test"].lengths[:2].tolist() == [500, 520] and len(set(SPEAKERS)) == 6
    monkeypatch.setenv("MMGEN_DATA", str(recordings.parent))
    assert torch.equal(FreeSpokenDigits("test").audio, parts["test"].audio)


def test_fsdd_missing_and_broken_folders(tmp_path, recordings, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match="nowhere is missing; set MMGEN_DATA .* or pass download=True"
    ):
        FreeSpokenDigits("test", tmp_path / "nowhere")
    monkeypatch.setenv("MMGEN_DATA", str(tmp_path / "ü none"))
    with pytest.raises(FileNotFoundError, match="ü none"):
        FreeSpokenDigits("test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match="holds no recording of george; expected files like 7_george_0.wav"
    ):
        FreeSpokenDigits("test", tmp_path / "empty")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/3_george_0.wav").write_bytes(b"version https://git-lfs")
    with pytest.raises(DataError, match="3_george_0.wav is not a readable WAV file"):
        FreeSpokenDigits("test", tmp_path / "bad")


@pytest.mark.skipif(
    not Path(os.environ.get("MMGEN_DATA", "-"), "fsdd-recordings").is_dir(),
    reason="MMGEN_DATA names no fsdd-recordings",
)
def test_the_real_fsdd(monkeypatch):
    real = REAL / "fsdd-recordings"
    lines = "".join(
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n"
        for p in sorted(real.glob("*.wav"))
    )
    assert hashlib.sha256(lines.encode()).hexdigest() == FSDD_SHA256
    parts = {s: FreeSpokenDigits(s, real) for s in SPLITS}
    assert [len(p) for p in parts.values()] == [2000, 500, 500] and all(
        (p.labels.bincount() == len(p) // 10).all() for p in parts.values()
    )
    prints = [fingerprints(p.audio) for p in parts.values()]
    assert not (prints[0] & prints[1] or prints[0] & prints[2] or prints[1] & prints[2])


REAL = Path(os.environ.get("MMGEN_DATA", "-"))


def archive_of(path, entries):
    "A tar.gz of (name, bytes or TarInfo) pairs."
    with tarfile.open(path, "w:gz") as tar:
        for name, content in entries:
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path.as_uri()


def whole(recordings):
    return [
        (f"repo-26eb9aaf/recordings/{p.name}", p.read_bytes())
        for p in sorted(recordings.glob("*.wav"))
    ]


def digest(recordings):
    lines = "".join(
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n"
        for p in sorted(recordings.glob("*.wav"))
    )
    return hashlib.sha256(lines.encode()).hexdigest()


def test_download_is_whole(tmp_path, recordings):
    url = archive_of(
        tmp_path / "a.tar.gz", [("repo-26eb9aaf/README.md", b"hello"), *whole(recordings)]
    )
    target = tmp_path / "data folder" / "fsdd-recordings"
    assert fetch_fsdd(target, url, digest(recordings)) == target
    assert {p.name for p in target.iterdir()} == {
        p.name for p in recordings.glob("*.wav")
    } and list(target.parent.iterdir()) == [target]
    assert torch.equal(
        FreeSpokenDigits("valid", target).audio, FreeSpokenDigits("valid", recordings).audio
    )


def test_nothing_is_downloaded_unless_asked_or_over_what_is_there(
    tmp_path, recordings, monkeypatch
):
    def refuse(*a, **k):
        raise AssertionError("downloaded")

    monkeypatch.setattr(sound.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(sound, "fetch_fsdd", refuse)
    with pytest.raises(FileNotFoundError):
        FreeSpokenDigits("test", tmp_path / "none")
    FreeSpokenDigits("test", recordings, download=True)
    with pytest.raises(AssertionError, match="downloaded"):
        FreeSpokenDigits("test", tmp_path / "none", download=True)


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.wav",
        "/tmp/7_evil_0.wav",
        "r/../../7_evil_0.wav",
        "..\\..\\7_evil_0.wav",
        "C:\\7_evil_0.wav",
    ],
)
def test_archive_that_leads_out_is_refused(tmp_path, recordings, name):
    url = archive_of(tmp_path / "a.tar.gz", [*whole(recordings)[:3], (name, b"x")])
    with pytest.raises(DataError, match="leads out of its folder"):
        fetch_fsdd(tmp_path / "in" / "fsdd", url)
    assert not list((tmp_path / "in").iterdir()) and not list(tmp_path.rglob("*evil*"))


def test_links_in_an_archive_are_not_followed(tmp_path, recordings):
    link = tarfile.TarInfo("r/recordings/7_evil_0.wav")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    url = archive_of(tmp_path / "a.tar.gz", [("", link), *whole(recordings)])
    fetch_fsdd(tmp_path / "fsdd", url, digest(recordings))
    assert not (tmp_path / "fsdd/7_evil_0.wav").exists()


def test_bomb_cut_altered_and_missing_archives_leave_nothing(tmp_path, recordings, monkeypatch):
    good = archive_of(tmp_path / "good.tar.gz", whole(recordings))
    raw = (tmp_path / "good.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(raw[: len(raw) // 2])
    (tmp_path / "page.tar.gz").write_bytes(b"<html>Log in</html>")
    (tmp_path / "flip.tar.gz").write_bytes(raw[:200] + bytes([raw[200] ^ 4]) + raw[201:])
    bomb = archive_of(
        tmp_path / "bomb.tar.gz",
        [(f"r/recordings/{i}_a_0.wav", bytes(25_000_000)) for i in range(3)],
    )
    for url, words in (
        (bomb, "unpacks to more than"),
        ((tmp_path / "cut.tar.gz").as_uri(), "nothing was written"),
        (good, "expected recordings with sha256"),
        ((tmp_path / "page.tar.gz").as_uri(), "nothing was written"),
        ((tmp_path / "flip.tar.gz").as_uri(), "nothing was written"),
        ((tmp_path / "none.tar.gz").as_uri(), "nothing was written"),
    ):
        with pytest.raises(DataError, match=words):
            fetch_fsdd(tmp_path / "in" / "fsdd", url)
        assert not list((tmp_path / "in").iterdir())
