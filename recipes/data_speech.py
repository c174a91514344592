"""Rebuild data/speech: zero to nine in English and Mandarin, spoken by espeak-ng: `python
recipes/data_speech.py`.

Needs `espeak-ng` 1.51 (Debian: `apt install espeak-ng`) and mmgen. Every clip is made at 22,050
Hz, cut to what sounds, brought to one loudness, resampled to 8 kHz and stored as 8-bit mu-law
codes; no step draws a random number, so a second run writes the same bytes. The voices of train,
valid and test are different people, so to speak.

Mandarin is given as numbered pinyin to the voice that reads pinyin: espeak-ng 1.51 also takes
Chinese characters in its voice `cmn`, but says the tone digits aloud in English ("ling two").
British English is called by its file `en`: given as `en-gb`, espeak-ng drops the voice without a
word, and one speaker would be in every split.
"""

import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
import torch
from sums import record

from mmgen.sound import mu_law, resample

RATE, PEAK, QUIET = (
    8000,
    0.9,
    0.02,
)  # Hz; loudest sample; share of the loudest sample below which an end is silence
VOICES = {
    "train": [
        "m1",
        "f1",
        "m3",
        "f2",
        "m7",
        "Annie",
        "Alex",
        "steph",
        "Mike",
        "Andrea",
        "antonio",
        "belinda",
    ],
    "valid": ["m4", "f5", "ed", "anika"],
    "test": ["m6", "f3", "pedro", "grandma"],
}
ACCENTS = {
    "english": ["en-us", "en", "en-gb-scotland", "en-us-nyc", "en-029"],
    "chinese": ["cmn-latn-pinyin"],
}
WORDS = {
    "english": "zero one two three four five six seven eight nine".split(),
    "chinese": "ling2 yi1 er4 san1 si4 wu3 liu4 qi1 ba1 jiu3".split(),
}
MANNERS = [
    (speed, pitch) for speed in (120, 150, 185) for pitch in (35, 65)
]  # words a minute; espeak's 0..99


def say(word, accent, voice, speed, pitch):
    "One clip at 22,050 Hz, float64 (n,), in [-1, 1]."
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        subprocess.run(
            [
                "espeak-ng",
                "-v",
                f"{accent}+{voice}",
                "-s",
                str(speed),
                "-p",
                str(pitch),
                "-w",
                str(path),
                word,
            ],
            check=True,
        )
        with wave.open(str(path)) as w:
            assert (w.getframerate(), w.getnchannels(), w.getsampwidth()) == (22050, 1, 2)
            return torch.from_numpy(np.frombuffer(w.readframes(w.getnframes()), np.int16) / 32768)


def clip(*args):
    "mu-law codes uint8 (n,) of one clip, its silent ends cut off."
    x = resample(say(*args), 22050, RATE)
    x = x * (PEAK / x.abs().max())
    sounding = (x.abs() > QUIET * PEAK).nonzero().flatten()
    return mu_law(x[sounding[0] : sounding[-1] + 1]).numpy()


def check_pronunciation():
    "espeak-ng must be the version that was used, and no Mandarin syllable may be read as English."
    version = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True).stdout
    if " 1.51 " not in version:
        print("warning: made with espeak-ng 1.51, here:", version.split("  ")[0], file=sys.stderr)
    for word in WORDS["chinese"]:
        sounds = subprocess.run(
            ["espeak-ng", "-q", "-x", "-v", ACCENTS["chinese"][0], word],
            capture_output=True,
            text=True,
        ).stdout
        assert "(en)" not in sounds, f"{word} is read as {sounds}"


def main():
    "Write one npz per language and split, and record their sums."
    check_pronunciation()
    folder = Path(__file__).resolve().parents[1] / "data" / "speech"
    folder.mkdir(exist_ok=True)
    order, heard = [v for voices in VOICES.values() for v in voices], set()
    for language, words in WORDS.items():
        for split, voices in VOICES.items():
            accent = {v: ACCENTS[language][order.index(v) % len(ACCENTS[language])] for v in voices}
            keys = [
                (digit, voice, *manner)
                for voice in voices
                for manner in MANNERS
                for digit in range(10)
            ]
            codes = [
                clip(words[digit], accent[voice], voice, *manner) for digit, voice, *manner in keys
            ]
            heard.update(c.tobytes() for c in codes)
            path = folder / f"{language}-{split}.npz"
            np.savez_compressed(
                path,
                codes=np.concatenate(codes),
                lengths=np.array([len(c) for c in codes], np.int32),
                digits=np.array([k[0] for k in keys], np.uint8),
                voices=np.array([f"{k[1]} ({accent[k[1]]})" for k in keys]),
                manners=np.array([k[2:] for k in keys], np.uint8),
            )
            record([path])
            seconds = sum(map(len, codes)) / RATE
            print(
                f"{path.name}: {len(codes)} clips, {seconds:.0f} s, {path.stat().st_size:,} bytes"
            )
    assert len(heard) == len(WORDS) * len(order) * len(MANNERS) * 10, (
        "two clips are equal: a voice was not applied"
    )


if __name__ == "__main__":
    main()
