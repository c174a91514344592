"""The embedded data and its loaders: checksums, splits, bad files of every kind, and no network."""

import hashlib
import io
import re
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from library_fixtures import fingerprints
from PIL import Image
from torch.testing import assert_close

from mmgen import data
from mmgen.data import (
    SPLITS,
    DataError,
    DigitImages,
    ImageFolder,
    NumberWords,
    checksums,
    coloured_digits,
    load_image,
    number_word,
    read_checked,
    verify,
)
from mmgen.sound import FreeSpokenDigits, SpokenDigits
from mmgen.triples import Triples

pytestmark = pytest.mark.usefixtures("no_network")

SMALL = "speech/chinese-test.npz"


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


def test_mnist_is_the_published_one(splits):
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
    for part, names in (("train", ("train", "valid")), ("t10k", ("test",))):
        images, labels = (
            torch.cat([getattr(splits[s], f) for s in names]) for f in ("images", "labels")
        )
        idx = struct.pack(">4i", 2051, len(images), 28, 28) + images.numpy().tobytes()
        idy = struct.pack(">2i", 2049, len(labels)) + labels.to(torch.uint8).numpy().tobytes()
        assert (hashlib.sha256(idx).hexdigest(), hashlib.sha256(idy).hexdigest()) == published[part]


def test_mnist_as_dataset(splits):
    assert [len(splits[s]) for s in SPLITS] == [55_000, 5_000, 10_000]
    ds = splits["valid"]
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


def test_no_image_is_in_two_splits(splits):
    prints = [fingerprints(splits[s].images) for s in SPLITS]
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
    with pytest.raises(ValueError, match="split='val'; expected one of 'train', 'valid', 'test'"):
        make("val")


# Words


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


def pictures(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture()).save(root / name)


def test_hidden_folders_are_no_classes(tmp_path):
    hidden = (".ipynb_checkpoints/1-checkpoint.png", "cat/.ipynb_checkpoints/1-checkpoint.png")
    pictures(tmp_path, "cat/1.png", "dog/1.png", *hidden)
    ds = ImageFolder(tmp_path)
    assert ds.classes == ["cat", "dog"] and ds.labels.tolist() == [0, 1]


def test_train_and_valid_agree_on_the_number_of_a_class(tmp_path):
    pictures(tmp_path, "train/ape/1.png", "train/bee/1.png", "train/cow/1.png")
    pictures(tmp_path, "valid/ape/1.png", "valid/cow/1.png")
    train = ImageFolder(tmp_path / "train")
    valid = ImageFolder(tmp_path / "valid", classes=train.classes)
    assert train[2][1] == valid[1][1] == 2
    (tmp_path / "train/ape/1.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 of 3"):
        rest = ImageFolder(tmp_path / "train", on_error="skip")
    assert rest.classes == train.classes and rest.labels.tolist() == [1, 2]
    pictures(tmp_path, "valid/dog/1.png")
    with pytest.raises(DataError, match="has the class 'dog', which is not in classes="):
        ImageFolder(tmp_path / "valid", classes=train.classes)
    with pytest.raises(ValueError, match="expected each name once"):
        ImageFolder(tmp_path / "train", classes=["ape", "ape"])


def test_the_usual_suffixes_and_linked_folders(tmp_path):
    names = [f"a/{k}{s}" for k, s in enumerate((".jfif", ".gif", ".bmp", ".tif", ".TIFF"))]
    pictures(tmp_path / "elsewhere", *names)
    (tmp_path / "mine").mkdir()
    try:
        (tmp_path / "mine" / "linked").symlink_to(tmp_path / "elsewhere" / "a")
        (tmp_path / "mine" / "round").symlink_to(tmp_path / "mine")
    except OSError:
        pytest.skip("no links here")
    ds = ImageFolder(tmp_path / "mine", size=16)
    assert ds.classes == ["linked"] and len(ds) == 5
    assert (ds.tensors()[0] - ds[2][0]).abs().mean() < 0.05


def test_content_decides_which_decoder_is_used(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(DataError, match=r"a\.png: cannot identify image file"):
        ImageFolder(tmp_path)


def test_each_file_is_decoded_once_where_all_fit_into_the_cache(tmp_path, monkeypatch):
    import mmgen.data

    pictures(tmp_path, "a/1.png", "b/2.png")
    decoded = []
    load = mmgen.data.load_image
    monkeypatch.setattr(
        mmgen.data, "load_image", lambda *a, **k: decoded.append(1) or load(*a, **k)
    )
    kept = ImageFolder(tmp_path, size=8)
    x = kept.tensors()[0]
    assert len(decoded) == 2 and torch.equal(kept.tensors()[0], x)
    other = ImageFolder(tmp_path, size=8, cache=2 * 3 * 8 * 8 - 1)
    assert torch.equal(other.tensors()[0], x) and len(decoded) == 6


def test_bad_folders(tmp_path):
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        ImageFolder(tmp_path / "none")
    with pytest.raises(
        DataError, match="holds no image; expected files that end in .png, .jpg, .jpeg, .jfif"
    ):
        ImageFolder(tmp_path)
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="all 1 files are broken"), pytest.warns(UserWarning):
        ImageFolder(tmp_path, on_error="skip")
    for kw, words in (
        ({"size": 0}, "size=0"),
        ({"size": 2.5}, "size=2.5"),
        ({"cache": -1}, "cache=-1"),
        ({"channels": 4}, "channels=4; expected one of 1, 3"),
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
