"""Record the sha256 of embedded files in SHA256SUMS: `python recipes/sums.py mnist/*.xz` (lines of
other files are kept).

The file has the form of the `sha256sum` program, so `cd data && sha256sum -c SHA256SUMS` checks
it too.
"""

import hashlib
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data"
SUMS = DATA / "SHA256SUMS"


def record(paths):
    "Replace or add one line per path; files that are gone lose theirs."
    lines = SUMS.read_text(encoding="utf8").splitlines() if SUMS.exists() else []
    known = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    for path in map(Path, paths):
        known[path.resolve().relative_to(DATA).as_posix()] = hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
    kept = sorted((name, digest) for name, digest in known.items() if (DATA / name).exists())
    SUMS.write_text(
        "".join(f"{digest}  {name}\n" for name, digest in kept), encoding="utf8", newline="\n"
    )


if __name__ == "__main__":
    record(sys.argv[1:])
