"""The embedded data and its loaders: checksums, splits, bad files of every kind, and no network."""

import hashlib
import io
import os
import re
import socket
import struct
import subprocess
import sys
import tarfile
import time
import wave
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.testing import assert_close

from mmgen import data
from mmgen.data import (
    FSDD_SHA256,
    FSDD_SPEAKERS,
    SPLITS,
    DataError,
    DigitImages,
    FreeSpokenDigits,
    ImageFolder,
    NumberWords,
    SpokenDigits,
    Triples,
    checksums,
    coloured_digits,
    fetch_fsdd,
    load_image,
    mu_law,
    mu_law_inverse,
    number_word,
    read_checked,
    read_wav,
    resample,
    spectrogram,
    verify,
)

SMALL = "speech/chinese-test.npz"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*a, **k):
        raise AssertionError("a test or a loader went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("MMGEN_DATA", raising=False)


@pytest.fixture(scope="module")
def digits():
    return {s: DigitImages(s) for s in SPLITS}


def fingerprints(x):
    return {hashlib.sha1(row.numpy().tobytes()).digest() for row in x}


# Checksums


def test_every_embedded_array_has_a_sum_and_holds_it():
    folder = data.data_path("SHA256SUMS").parent
    arrays = {p.relative_to(folder).as_posix() for p in folder.rglob("*.npz")}
    assert arrays <= set(checksums()) and set(verify()) == set(checksums())


def test_sizes():
    folder = data.data_path("SHA256SUMS").parent
    size = {
        part: sum(p.stat().st_size for p in (folder / part).glob("*"))
        for part in ("mnist", "speech")
    }
    assert size["mnist"] < 11e6 and size["speech"] < 8e6


def test_readme_names_every_file_with_the_start_of_its_sum():
    text = (data.data_path("SHA256SUMS").parent / "README.md").read_text(encoding="utf8")
    for name, digest in checksums().items():
        if name.startswith(("mnist", "speech")):
            assert re.search(rf"`{name}` .*`{digest[:8]}`", text), name


def copy_of(tmp_path, raw, name=SMALL):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return tmp_path


def test_200_cut_or_flipped_copies_are_all_found(tmp_path):
    good, found = read_checked(SMALL), 0
    numbers = np.random.default_rng(0)
    for i in range(200):
        raw = bytearray(good)
        if i % 2:
            raw[numbers.integers(len(raw))] ^= 1 << numbers.integers(8)
        else:
            del raw[numbers.integers(len(raw)) :]
        try:
            read_checked(SMALL, copy_of(tmp_path, raw))
        except DataError:
            found += 1
    assert found == 200
    assert read_checked(SMALL, copy_of(tmp_path, good)) == good


@pytest.mark.parametrize(
    "raw,words",
    [
        (None, "got no file"),
        (b"", "got 0 bytes"),
        (b"<!DOCTYPE html><p>Log in", "got a web page of 24 bytes"),
        (b"\n <html>", "got a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "got a git-lfs pointer of"),
    ],
)
def test_what_lies_in_place_of_the_data_is_named(tmp_path, raw, words):
    folder = tmp_path if raw is None else copy_of(tmp_path, raw)
    with pytest.raises(DataError) as e:
        read_checked(SMALL, folder)
    text = str(e.value)
    assert (
        words in text
        and f"data/{SMALL}" in text
        and checksums()[SMALL] in text
        and f"git checkout -- data/{SMALL}" in text
    )


def test_junk_after_the_end_and_folders_in_the_place_of_files(tmp_path):
    with pytest.raises(DataError):
        read_checked(SMALL, copy_of(tmp_path, read_checked(SMALL) + b"\0"))
    (tmp_path / "x" / SMALL).mkdir(parents=True)
    with pytest.raises(DataError, match="got no file"):
        read_checked(SMALL, tmp_path / "x")


def test_verify_lists_every_broken_file(tmp_path):
    for name in checksums():
        copy_of(tmp_path, b"x" if name.startswith("speech/english") else read_checked(name), name)
    with pytest.raises(DataError) as e:
        verify(tmp_path)
    assert len(str(e.value).splitlines()) == 3 and "mnist" not in str(e.value)


def test_a_damaged_file_names_what_restores_it(tmp_path, monkeypatch):
    (tmp_path / "_data").mkdir()
    (tmp_path / "_data/SHA256SUMS").write_text("0" * 64 + "  mnist/test.npz\n")
    monkeypatch.setattr(data, "data_path", lambda *parts: tmp_path.joinpath("_data", *parts))
    monkeypatch.setattr(data, "repair", lambda name: f"restore {name}")
    with pytest.raises(DataError, match="restore mnist/test.npz"):
        read_checked("mnist/test.npz")
    with pytest.raises(DataError, match="restore mnist/test.npz"):
        DigitImages("test")


def test_unknown_name():
    with pytest.raises(
        ValueError, match="name='mnist.npz' is not an embedded file; expected one of mnist/test.npz"
    ):
        read_checked("mnist.npz")


# Images


def test_mnist_is_the_published_one(digits):
    published = {
        "train": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        "t10k": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    }
    for part, splits in (("train", ("train", "valid")), ("t10k", ("test",))):
        images, labels = (
            torch.cat([getattr(digits[s], f) for s in splits]) for f in ("images", "labels")
        )
        idx = struct.pack(">4i", 2051, len(images), 28, 28) + images.numpy().tobytes()
        idy = struct.pack(">2i", 2049, len(labels)) + labels.to(torch.uint8).numpy().tobytes()
        assert (hashlib.sha256(idx).hexdigest(), hashlib.sha256(idy).hexdigest()) == published[part]


def test_mnist_as_dataset(digits):
    assert [len(digits[s]) for s in SPLITS] == [55_000, 5_000, 10_000]
    ds = digits["valid"]
    x, y = ds.tensors()
    assert (
        x.shape == (5000, 1, 28, 28)
        and x.dtype == torch.float32
        and y.dtype == torch.int64
        and x.min() == -1
        and x.max() == 1
    )
    image, label = ds[17]
    assert isinstance(label, int) and label == y[17]
    assert_close(image, x[17])
    assert ds.images.dtype == torch.uint8 and torch.equal(
        ((x[:, 0] + 1) * 127.5).round().byte(), ds.images
    )
    batch = next(iter(torch.utils.data.DataLoader(ds, 8)))
    assert batch[0].shape == (8, 1, 28, 28) and batch[1].shape == (8,)


def test_no_image_is_in_two_splits(digits):
    prints = [fingerprints(digits[s].images) for s in SPLITS]
    assert not (prints[0] & prints[1] or prints[0] & prints[2] or prints[1] & prints[2])


def test_loading_takes_under_a_second():
    def cpu(split):
        start = time.process_time()
        DigitImages(split)
        return time.process_time() - start

    for split in SPLITS:
        assert min(cpu(split) for _ in range(3)) < 1


def test_two_datasets_share_no_memory():
    a, b = DigitImages("valid"), DigitImages("valid")
    a.images.zero_()
    assert b.images.any()


@pytest.mark.parametrize("make", [DigitImages, SpokenDigits, FreeSpokenDigits, Triples])
def test_unknown_split(make):
    with pytest.raises(
        ValueError, match="split='val' is unknown; expected one of 'train', 'valid', 'test'"
    ):
        make("val")


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
        ValueError, match="language='mandarin' is unknown; expected one of 'english', 'chinese'"
    ):
        SpokenDigits("test", "mandarin")
    with pytest.raises(ValueError, match="seconds=0; expected a positive length"):
        SpokenDigits("test", seconds=0)


def write_wav(path, samples, rate=8000, channels=1, width=2):
    with wave.open(str(path), "wb") as w:
        w.setnchannels(channels)
        w.setsampwidth(width)
        w.setframerate(rate)
        w.writeframes(np.asarray(samples).tobytes())
    return path


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


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    "A stand-in for the real folder: every speaker says every digit twice."
    folder = tmp_path_factory.mktemp("root") / "fsdd-recordings"
    folder.mkdir()
    for i, speaker in enumerate(SPEAKERS):
        for digit in range(10):
            for k in (0, 10):
                write_wav(
                    folder / f"{digit}_{speaker}_{k}.wav",
                    np.full(500 + 20 * digit + k, 100 * i + digit + 1, "<i2"),
                )
    (folder / "notes.txt").write_text("not a recording")
    return folder


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

    monkeypatch.setattr(data.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(data, "fetch_fsdd", refuse)
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


# Words and triples


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_words(language):
    words = NumberWords(language)
    assert len(words) == 100 == len(set(words.words)) and words[0] == number_word(0, language)
    ids = words.encode(words.words)
    assert (
        ids.shape == (100, words.length)
        and ids.dtype == torch.int64
        and ids.max() < len(words.letters)
    )
    assert words.decode(ids) == words.words
    assert torch.equal(words.encode(words[42]), ids[42:43]) and words.decode(
        words.encode([""])
    ) == [""]


def test_some_words():
    assert [number_word(n) for n in (0, 9, 10, 13, 20, 21, 90, 99)] == [
        "zero",
        "nine",
        "ten",
        "thirteen",
        "twenty",
        "twenty-one",
        "ninety",
        "ninety-nine",
    ]
    assert [number_word(n, "chinese") for n in (0, 9, 10, 11, 20, 21, 99)] == [
        "零",
        "九",
        "十",
        "十一",
        "二十",
        "二十一",
        "九十九",
    ]


def test_bad_words():
    for n in (-1, 100, 1.5, "7"):
        with pytest.raises(ValueError, match="expected an integer from 0 to 99"):
            number_word(n)
    with pytest.raises(ValueError, match="'é' is not a letter here"):
        NumberWords().encode(["one", "né"])
    with pytest.raises(ValueError, match="'_' is not a letter"):
        NumberWords().encode(["one_"])
    with pytest.raises(ValueError, match="expected at most 13"):
        NumberWords().encode(["seventy-seven-seven"])
    with pytest.raises(ValueError, match="language='german'"):
        NumberWords("german")


def test_triples(digits):
    parts = {s: Triples(s, "chinese") for s in SPLITS}
    for s, p in parts.items():
        assert (
            len(p) == len(digits[s])
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
        and batch.label.tolist() == digits["test"].labels[:4].tolist()
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


# Image folders


def picture(h=40, w=60):
    "RGB uint8 (h, w, 3): red grows to the right, green downwards."
    v, u = np.mgrid[0:h, 0:w]
    return np.stack([u * 255 // (w - 1), v * 255 // (h - 1), np.full_like(u, 128)], -1).astype(
        np.uint8
    )


def test_folder_with_every_kind(tmp_path):
    im = Image.fromarray(picture())
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "deep é").mkdir(parents=True)
    im.save(tmp_path / "b/rgb.png")
    im.save(tmp_path / "b/photo.JPG", quality=95)
    im.save(tmp_path / "b/web.webp")
    im.convert("L").save(tmp_path / "a/grey.png")
    im.convert("CMYK").save(tmp_path / "a/print.jpeg")
    im.convert("1").save(tmp_path / "a/deep é/bits.png")
    im.resize((31, 33)).save(tmp_path / "a/odd.png")
    (tmp_path / "a/readme.txt").write_text("no image")
    (tmp_path / "b/._rgb.png").write_bytes(b"shadow")
    (tmp_path / "c.png").mkdir()
    ds = ImageFolder(tmp_path, size=16)
    assert (
        ds.classes == ["a", "a/deep é", "b"]
        and ds.labels.tolist() == [1, 0, 0, 0, 2, 2, 2]
        and not ds.skipped
    )
    x, y = ds.tensors()
    assert (
        x.shape == (7, 3, 16, 16)
        and x.dtype == torch.float32
        and x.min() >= -1
        and x.max() <= 1
        and torch.equal(y, ds.labels)
    )
    rgb = {f.name: image for f, image in zip(ds.files, x)}
    for name in ("photo.JPG", "web.webp"):
        assert (rgb[name] - rgb["rgb.png"]).abs().mean() < 0.03
    assert (
        rgb["rgb.png"][0, :, -1].mean() > rgb["rgb.png"][0, :, 0].mean() + 1
        and rgb["rgb.png"][1, -1].mean() > 0.8
    )
    grey = ImageFolder(tmp_path, size=16, channels=1)
    assert grey[0][0].shape == (1, 16, 16) and isinstance(grey[0][1], int)


def test_coloured_digits_are_bright_on_dark_and_come_again(tmp_path):
    first, again = (
        ImageFolder(coloured_digits(tmp_path / name, 40, 24, seed=3), size=24)
        for name in ("a", "b")
    )
    x, y = first.tensors()
    assert torch.equal(x, again.tensors()[0]) and [f.name for f in first.files] == [
        f.name for f in again.files
    ]
    assert len(first) == 40 and len(set(f.name for f in first.files)) == 40
    originals, labels = DigitImages("train").tensors()
    for file, label, picture in zip(first.files, y, x):  # the name is the number of the digit
        at = int(file.stem)
        assert int(first.classes[label]) == labels[at]
        small = torch.nn.functional.interpolate(
            originals[None, at], (24, 24), mode="bilinear", antialias=True
        )[0, 0]
        for channel in picture:
            assert torch.corrcoef(torch.stack([channel.flatten(), small.flatten()]))[0, 1] > 0.97
    with pytest.raises(ValueError, match=r"n=0; expected a whole number from 1 to 55000"):
        coloured_digits(tmp_path, 0)


def test_sixteen_bits_are_scaled_not_cut(tmp_path):
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    Image.fromarray(ramp).save(tmp_path / "a.png")
    assert_close(
        load_image(tmp_path / "a.png", 64, 1)[0].double(),
        torch.from_numpy(ramp / 257.0),
        atol=1.0,
        rtol=0,
    )


def test_transparency_is_laid_on_white(tmp_path):
    rgba = np.dstack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 255, np.uint8)])
    rgba[:, :4, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    Image.fromarray(rgba).convert("LA").save(tmp_path / "la.png")
    palette = Image.new("P", (8, 8))
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.putdata((np.arange(64) % 8 < 4).astype(int).tolist())
    palette.save(tmp_path / "p.png", transparency=1)
    for name in ("rgba.png", "la.png", "p.png"):
        x = load_image(tmp_path / name, 8)
        assert (x[:, :, :4] == 255).all() and (x[:, :, 4:] == 0).all(), name


@pytest.mark.parametrize("tag", range(1, 9))
def test_exif_turns_are_undone(tmp_path, tag):
    upright, undo = (
        Image.fromarray(picture(40, 40)),
        {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4},
    )  # Pillow's name of the inverse
    stored = upright if tag == 1 else upright.transpose(undo[tag])
    exif = Image.Exif()
    exif[274] = tag
    stored.save(tmp_path / "t.jpg", exif=exif, quality=95)
    want = torch.from_numpy(picture(40, 40)).permute(2, 0, 1)
    assert (load_image(tmp_path / "t.jpg", 40).float() - want).abs().mean() < 4


def chunk(kind, body=b""):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(w, h):
    "A PNG that claims to be w x h and holds nothing."
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", w, h, 8, 0, 0, 0, 0))
        + chunk(b"IDAT")
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    "name,raw,words",
    [
        ("page.png", b"<html>404</html>", "cannot identify"),
        ("empty.jpg", b"", "cannot identify"),
        ("lfs.png", b"version https://git-lfs.github.com", "cannot identify"),
        ("tiny.png", None, "1 x 1 pixels; expected at least 4"),
        ("huge.png", png_header(20_000, 20_000), "huge.png"),
        ("large.png", png_header(9_000, 9_000), "9000 x 9000 pixels; at most 50,000,000"),
        ("hollow.png", png_header(64, 64), "hollow.png"),
        ("flat.png", png_header(0, 5), "flat.png"),
    ],
)
def test_bad_images(tmp_path, name, raw, words):
    if raw is None:
        Image.new("RGB", (1, 1)).save(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=words):
        load_image(tmp_path / name)


def test_each_truncated_image_is_named_and_skipped_only_if_asked(tmp_path):
    for kind in ("png", "jpg", "webp"):
        for k in range(3):
            Image.fromarray(picture()).save(tmp_path / f"{kind}{k}.{kind}")
        raw = (tmp_path / f"{kind}1.{kind}").read_bytes()
        (tmp_path / f"{kind}1.{kind}").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(
        DataError, match=r"jpg1.jpg: .*\(3 of 9 files are broken; on_error='skip' leaves them out\)"
    ):
        ImageFolder(tmp_path)
    with pytest.warns(UserWarning, match="3 of 9 files .* are skipped"):
        ds = ImageFolder(tmp_path, on_error="skip")
    assert len(ds) == 6 and {p.name for p in ds.skipped} == {"png1.png", "jpg1.jpg", "webp1.webp"}
    assert ds.classes == ["."] and ds.tensors()[0].shape == (6, 3, 32, 32)


def test_bad_folders(tmp_path):
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(
        DataError, match="holds no image; expected files that end in .png, .jpg, .jpeg, .webp"
    ):
        ImageFolder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="all 1 files are broken"), pytest.warns(UserWarning):
        ImageFolder(tmp_path, on_error="skip")
    for kw, words in (
        ({"size": 0}, "size=0"),
        ({"size": 2.5}, "size=2.5"),
        ({"channels": 4}, "channels=4 is unknown; expected one of 1, 3"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
    ):
        with pytest.raises(ValueError, match=words):
            ImageFolder(tmp_path, **kw)


# The module


def test_importing_draws_no_network_matplotlib_or_random_number():
    code = (
        "import socket, torch\ndef no(*a): raise SystemExit('network')\nsocket.socket.connect "
        "= no\nbefore = torch.get_rng_state()\n"
        "import mmgen.data, sys\nmmgen.data.DigitImages('valid')\n"
        "assert torch.equal(before, torch.get_rng_state()) and 'matplotlib' not in sys.modules "
        "and 'IPython' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_pickle_is_read():
    assert "allow_pickle" not in Path(data.__file__).read_text(encoding="utf8")
    with np.load(io.BytesIO(read_checked(SMALL))) as f:
        assert all(f[k].dtype != object for k in f)
