"""Files of weights and checkpoints: whole or absent, exact to go on from, and clear about what is
wrong.
"""

import json
import multiprocessing
import os
import pickle
import platform
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import types
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import train_jobs as jobs
from safetensors.torch import load_file, save_file
from torch import nn

import mmgen.checkpoints
import mmgen.files
import mmgen.training
import mmgen.weights
from mmgen.checkpoints import (
    CheckpointError,
    FolderLock,
    checkpoints_in,
    load_checkpoint,
    read_tensors,
    save_checkpoint,
    write_tensors,
)
from mmgen.training import Batches, NonFiniteError, Recipe, run
from mmgen.weights import Pretrained, load_state, load_weights, save_weights

posix = pytest.mark.skipif(os.name == "nt", reason="kills and signals of POSIX")


@pytest.fixture(scope="module")
def spawn():
    "Start a function in a process that has torch loaded already."
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "mmgen.training",
            "torch._dynamo",
            "accelerate",
            "accelerate.state",
            "accelerate.utils",
            "safetensors.torch",
            "tqdm.auto",
            "torch.utils.data",
        ]
    )
    started = []

    def start(target, *args):
        process = context.Process(target=target, args=args)
        started.append(process)
        with pytest.MonkeyPatch.context() as m:
            m.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
            process.start()  # or each imports pytest
        return process

    yield start
    for process in started:
        if process.is_alive():
            process.kill()


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not Path(path).exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)


def full_disk(*_):
    raise OSError(28, "No space left on device")


# Whole or absent


@posix
def test_a_hundred_kills_while_saving_lose_nothing(tmp_path, spawn):
    rng, newest, cut, n = random.Random(0), 0, 0, 100
    for _ in range(n):
        process = spawn(jobs.save_for_ever, tmp_path, 250_000)
        while (checkpoints_in(tmp_path) or [(0,)])[-1][0] <= newest:
            assert process.exitcode is None
            time.sleep(0.001)
        time.sleep(rng.random() * 0.02)
        process.kill()
        process.join()
        cut += any(tmp_path.glob(".step_*.tmp"))
        found = checkpoints_in(tmp_path)
        state = load_checkpoint(tmp_path, found[-1][0])  # the newest by name loads: no falling back
        assert (
            state["step"] >= newest
            and (state["model"]["w"] == state["step"]).all()
            and state["step_again"] == state["step"]
        )
        newest = state["step"]
    print(f"{n} kills, {cut} of them inside a write, {newest} checkpoints")
    assert newest >= n and cut >= 3  # how many depends on how busy the machine is
    with FolderLock(tmp_path):
        assert not list(tmp_path.glob(".step_*.tmp"))


def test_a_kill_between_write_and_rename_is_cleaned_up_at_the_next_start(tmp_path):
    save_checkpoint(tmp_path, 1, {"w": torch.ones(3)})
    (tmp_path / ".step_00000002.safetensors.999.tmp").write_bytes(b"half")
    assert load_checkpoint(tmp_path)["step"] == 1
    with FolderLock(tmp_path):
        assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "step_00000001.safetensors"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_loud_and_costs_nothing(tmp_path, monkeypatch, call):
    done = list(jobs.states(tmp_path))[-1]
    model = jobs.model()
    states = jobs.states(tmp_path / "b", save_every=5, model=model)
    for _ in range(5):
        next(states)
    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(
        CheckpointError,
        match=r"cannot write .*step_00000010\.safetensors: No space left on device.*untouched",
    ):
        for _ in states:
            pass
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "b")["step"] == 5 and not list((tmp_path / "b").glob("*.tmp"))
    assert all(p.isfinite().all() for p in model.parameters())
    save_weights(
        model, tmp_path / "rescued.safetensors"
    )  # what is in memory can still be saved, and the run goes on from step 5
    assert jobs.digest(run(jobs.states(tmp_path / "b")).model) == jobs.digest(done.model)


@posix
def test_a_really_full_file_system(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("may not mount a tmpfs")
    try:
        save_checkpoint(disk, 1, {"w": torch.ones(30_000)})
        with pytest.raises(CheckpointError, match="No space left"):
            save_checkpoint(disk, 2, {"w": torch.ones(60_000)})
        assert load_checkpoint(disk)["step"] == 1 and len(list(disk.iterdir())) == 1
    finally:
        subprocess.run(["umount", disk], check=True)


def test_folders_that_cannot_be_used(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match=r"cannot save in .*file: it is a file"):
        save_checkpoint(tmp_path / "file", 1, {})
    with pytest.raises(CheckpointError, match=r"cannot save in .*none: no such folder"):
        save_checkpoint(tmp_path / "none", 1, {})
    with pytest.raises(CheckpointError, match=r"cannot save in .*file: File exists"):
        next(jobs.states(tmp_path / "file"))
    with pytest.raises(CheckpointError, match=r"cannot save in .*none.deep: No such file"):
        next(jobs.states(tmp_path / "none" / "deep"))
    with pytest.raises(CheckpointError, match=r"cannot write .*none.w\.safetensors: No such file"):
        save_weights(nn.Linear(1, 1), tmp_path / "none" / "w.safetensors")

    def read_only(path, *a, **k):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", read_only)
    with pytest.raises(CheckpointError, match=r"cannot save in .*Permission denied"):
        next(jobs.states(tmp_path / "new"))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder(tmp_path):
    save_checkpoint(tmp_path, 1, {"w": torch.ones(2)})
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CheckpointError, match="Permission denied"):
            save_checkpoint(tmp_path, 2, {"w": torch.ones(2)})
        assert load_checkpoint(tmp_path)["step"] == 1
    finally:
        tmp_path.chmod(0o700)


def test_the_last_two_are_kept_and_one_is_refused(tmp_path):
    for s in (5, 100, 20, 30):
        save_checkpoint(tmp_path, s, {}, keep_last=2)
    assert [s for s, _ in checkpoints_in(tmp_path)] == [
        20,
        30,
        100,
    ]  # nothing newer than the one just saved is touched
    for bad in (1, 0, -3, True, 2.5):
        with pytest.raises(ValueError, match="keep_last=.*expected at least 2"):
            save_checkpoint(tmp_path, 40, {}, keep_last=bad)
        with pytest.raises(ValueError, match="keep_last=.*expected at least 2"):
            jobs.states(tmp_path, keep_last=bad)


def test_the_newest_is_the_one_with_the_largest_number(tmp_path):
    for s in (9, 10):
        save_checkpoint(tmp_path, s, {"s": s})
    os.utime(tmp_path / "step_00000010.safetensors", (1, 1))
    (tmp_path / "step_notes.safetensors").write_text("not a checkpoint")
    assert load_checkpoint(tmp_path)["s"] == 10
    with pytest.raises(FileNotFoundError, match="no step 7 in .*there: 9, 10"):
        load_checkpoint(tmp_path, 7)
    with pytest.raises(FileNotFoundError, match="no checkpoint in"):
        load_checkpoint(tmp_path / "elsewhere")


def test_a_damaged_newest_falls_back_and_all_damaged_is_an_error(tmp_path):
    for s in (1, 2):
        save_checkpoint(tmp_path, s, {"w": torch.ones(9)})
    (tmp_path / "step_00000002.safetensors").write_bytes(b"")
    with pytest.warns(UserWarning, match="step_00000002.*0 bytes.*going back to step 1"):
        assert load_checkpoint(tmp_path)["step"] == 1
    with pytest.raises(CheckpointError, match="step_00000002"):
        load_checkpoint(tmp_path, 2)
    (tmp_path / "step_00000001.safetensors").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="step_00000002.*step_00000001"):
        load_checkpoint(tmp_path)


# Files from outside


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "w.safetensors"
    return write_tensors(
        path,
        {"a": torch.randn(7, 5), "b": torch.arange(9), "scalar": torch.tensor(1.5)},
        {"config": {"width": 7}},
    )


def test_two_hundred_damaged_files_are_all_found(good, tmp_path):
    blob, rng, path = good.read_bytes(), random.Random(1), tmp_path / "w.safetensors"
    for i in range(200):
        if i % 2:
            damaged = blob[: rng.randrange(len(blob))]
        else:
            damaged = bytearray(blob)
            damaged[rng.randrange(len(blob))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"w\.safetensors"):
            read_tensors(path)


def test_every_bit_of_the_header_counts(good, tmp_path):
    blob, path = good.read_bytes(), tmp_path / "w.safetensors"
    for at in range(8 + int.from_bytes(blob[:8], "little")):
        damaged = bytearray(blob)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            read_tensors(path)


def test_what_the_message_of_a_damaged_file_says(good, tmp_path):
    blob, path = good.read_bytes(), tmp_path / "w.safetensors"
    for damaged in (blob + b"junk", blob[:-1], blob[:-1] + bytes([blob[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.raises(
            CheckpointError,
            match=(
                rf"w\.safetensors \({len(damaged):,} bytes\) is cut or damaged: sha256 "
                rf"\w+\.\., recorded .*fetch or save it again"
            ),
        ):
            read_tensors(path)


@pytest.mark.parametrize(
    "content,words",
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b"\n <html>", "a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "git-lfs pointer.*git lfs pull",
        ),
        (b"PK\x03\x04rest", "zip or .pt file, which may run code"),
        (pickle.dumps({"a": 1}), "a pickle, which may run code"),
        (b"", "0 bytes"),
        (b"\0" * 7, "7 bytes"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path, content, words):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        load_weights(path)


def entry(dtype="F32", shape=(2,), at=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(at)}


HOSTILE = {
    "length of 2^63": struct.pack("<Q", 2**63) + b"{}",
    "length past the end": struct.pack("<Q", 10**6) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"abcd",
    "JSON, but a list": struct.pack("<Q", 2) + b"[]",
    "nested 100,000 deep": struct.pack("<Q", 200_000) + b"[" * 100_000 + b"]" * 100_000,
    "overlap": [{"a": entry(), "b": entry(at=(4, 12))}, 12],
    "overflowing shape": [{"a": entry(shape=(2**62, 8))}, 8],
    "unknown dtype": [{"a": entry(dtype="F99")}, 8],
    "uncovered tail": [{"a": entry()}, 64],
    "negative offset": [{"a": entry(at=(-8, 0))}, 8],
    "no offsets": [{"a": {"dtype": "F32"}}, 8],
}


def hostile(header, size):
    "A file with this header whose sha256 is right all the same."
    import hashlib

    text = json.dumps(
        {"__metadata__": {"mmgen": json.dumps({"format": 1}), "sha256": "0" * 64}, **header},
        separators=(",", ":"),
    ).encode()
    blob = bytearray(struct.pack("<Q", len(text)) + text + bytes(size))
    at = blob.index(b'"sha256":"') + 10
    blob[at : at + 64] = hashlib.sha256(blob).hexdigest().encode()
    return bytes(blob)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused(tmp_path, name):
    path = tmp_path / "w.safetensors"
    path.write_bytes(HOSTILE[name] if isinstance(HOSTILE[name], bytes) else hostile(*HOSTILE[name]))
    with pytest.raises(CheckpointError, match=r"w\.safetensors.*(Delete it|cut)"):
        read_tensors(path)
    path.write_bytes(hostile({"a": entry()}, 8))
    assert read_tensors(path)[0]["a"].tolist() == [0, 0]  # the builder itself is sound


def test_a_malicious_pickle_never_runs(tmp_path):
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (os.system, (f"touch {marker}",))

    for name in ("w.safetensors", "step_00000001.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        load_weights(tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path)
    torch.save(Bomb(), tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="which may run code"):
        load_weights(tmp_path / "w.safetensors")
    assert not marker.exists()
    modules = mmgen.files, mmgen.weights, mmgen.checkpoints, mmgen.training
    source = "".join(Path(m.__file__).read_text(encoding="utf8") for m in modules)
    assert not [
        w
        for w in ("torch.save", "torch.load", "import pickle", "weights_only", "allow_pickle")
        if w in source
    ]


# Weights


def test_weights_round_trip_with_config_and_record(tmp_path):
    a = nn.Linear(3, 2)
    path = save_weights(a, tmp_path / "a.safetensors", {"n": 3}, {"psnr": 24.5, "seeds": [0, 1]})
    w = load_weights(path)
    b = load_state(nn.Linear(3, 2), w.tensors)
    assert w.config == {"n": 3} and w.record["psnr"] == 24.5 and torch.equal(a.weight, b.weight)
    assert json.loads(path.with_suffix(".json").read_text())["config"] == {"n": 3}
    import safetensors.torch

    assert set(safetensors.torch.load_file(path)) == {
        "weight",
        "bias",
    }  # any other program reads it too
    assert path.stat().st_mode & 0o044 == 0o044 or os.name == "nt"


def test_tied_transposed_sliced_and_odd_tensors_are_saved(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "tied": base,
        "again": base,
        "turned": base.T,
        "row": base[1],
        "every other": base[:, ::2],
        "none": torch.empty(0, 5),
        "bool": base > 5,
        "half": base.bfloat16(),
        "scalar": base[0, 0],
    }
    back, _ = read_tensors(write_tensors(tmp_path / "t.safetensors", tensors, {}))
    assert all(torch.equal(back[k], v) and back[k].dtype == v.dtype for k, v in tensors.items())
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    fresh = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    fresh[1].weight = fresh[0].weight
    load_state(fresh, load_weights(save_weights(tied, tmp_path / "m.safetensors")).tensors)
    assert torch.equal(fresh[1].weight, tied[0].weight)


def test_names_that_do_not_fit_are_listed_five_at_most():
    net = nn.Sequential(*(nn.Linear(2, 2) for _ in range(4)))
    own = net.state_dict()
    with pytest.raises(
        ValueError, match=r"8 missing: 0.weight, 0.bias, 1.weight, 1.bias, 2.weight, \.\."
    ):
        load_state(net, {})
    with pytest.raises(ValueError, match=r"1 unexpected: extra"):
        load_state(net, {**own, "extra": torch.ones(1)})
    with pytest.raises(ValueError, match=r"1 wrongly shaped: 0.weight \(3, 2\) for \(2, 2\)"):
        load_state(net, {**own, "0.weight": torch.ones(3, 2)})
    for prefix in ("module.", "_orig_mod."):
        wrapped = {prefix + k: v for k, v in own.items()}
        with pytest.raises(ValueError, match=rf"Every name starts with '{prefix}'.*removeprefix"):
            load_state(net, wrapped)
        load_state(net, {k.removeprefix(prefix): v for k, v in wrapped.items()})


@pytest.mark.parametrize(
    "fault,words",
    [
        (lambda w: w.pop("b.bias"), 'Missing key(s) in state_dict: "b.bias"'),
        (
            lambda w: w.update({"c.bias": torch.zeros(3)}),
            'Unexpected key(s) in state_dict: "c.bias"',
        ),
        (lambda w: w.update({"b.bias": torch.zeros(4)}), "size mismatch for b.bias"),
    ],
)
def test_a_stored_model_is_whole_or_an_error(tmp_path, fault, words):
    class Net(nn.Module, Pretrained):
        def __init__(self, width=3):
            super().__init__()
            self.a, self.b = nn.Linear(2, width), nn.Linear(width, 3)

    net = Net(5)
    net.save_pretrained(tmp_path / "net")
    assert all(
        torch.equal(a, b)
        for a, b in zip(net.parameters(), Net.from_pretrained(tmp_path / "net").parameters())
    )
    file = tmp_path / "net" / "model.safetensors"
    tensors = load_file(file)
    fault(tensors)
    save_file(tensors, file)
    with pytest.raises(RuntimeError) as e:
        Net.from_pretrained(tmp_path / "net")
    assert words in str(e.value)


@dataclass(frozen=True)
class Shape:
    width: int = 3


class Small(nn.Module, Pretrained):
    "A model with a config, as all of ours have; it says so when it is built."

    def __init__(self, config: Shape = Shape()):
        super().__init__()
        self.layer = nn.Linear(2, config.width)
        print("built")
        warnings.warn("mind the width", stacklevel=2)


@pytest.fixture
def stored(tmp_path):
    with pytest.warns(UserWarning, match="mind"):
        Small(Shape(5)).save_pretrained(tmp_path / "net")
    return tmp_path / "net"


def test_loading_a_folder_prints_nothing_of_its_own_and_hides_nothing_else(stored, capfd):
    capfd.readouterr()
    with pytest.warns(UserWarning, match="mind the width"):
        net = Small.from_pretrained(stored)
    assert (
        capfd.readouterr().out == "built\n"
        and not net.training
        and net.layer.weight.shape == (5, 2)
    )


@pytest.mark.parametrize(
    "content,words",
    [
        (b"", r"0 bytes\) is cut or damaged"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"PK\x03\x04", "may run code when loaded"),
        ("half", r"bytes\) is cut or damaged: sha256 .* Delete it"),
    ],
)
@pytest.mark.filterwarnings("ignore:mind")
def test_a_damaged_file_of_a_folder_is_named(stored, content, words):
    file = stored / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-9] if content == "half" else content)
    with pytest.raises(CheckpointError, match=rf"model\.safetensors.*{words}"):
        Small.from_pretrained(stored)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        Small.from_pretrained(stored)


@pytest.mark.parametrize(
    "text,words",
    [
        ("{", r"\(1 bytes\) is cut or damaged"),
        ("[]", "is not of Small: a list"),
        ('{"width": 5, "widht": 4}', "widht"),
        ('{"n_codes": 8, "dim": 3}', "not of Small: n_codes, dim is no part of its config"),
    ],
)
@pytest.mark.filterwarnings("ignore:mind")
def test_a_config_that_is_damaged_or_of_another_model_is_refused(stored, text, words):
    (stored / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=rf"config\.json .*{words}"):
        Small.from_pretrained(stored)


def test_what_is_no_folder_is_said_so(stored, monkeypatch):
    for bad in ("no/such/folder", "./none", stored / "none", "~/none"):
        with pytest.raises(
            FileNotFoundError, match=rf"there is no folder {re.escape(str(bad))}; expected"
        ):
            Small.from_pretrained(bad)
    with pytest.raises(
        NotADirectoryError, match=r"model\.safetensors is a file; expected the folder"
    ):
        Small.from_pretrained(stored / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        FileNotFoundError, match="'nothere' is no folder here, and did not come from the Hub"
    ):
        Small.from_pretrained("nothere")


@pytest.mark.parametrize(
    "fails", ["safetensors.torch.save", "os.replace", "pathlib.Path.write_text"]
)
@pytest.mark.filterwarnings("ignore:mind")
def test_a_save_that_fails_leaves_the_stored_model_as_it_was(stored, monkeypatch, fails):
    from safetensors import SafetensorError

    before = {p.name: p.read_bytes() for p in stored.iterdir()}

    def refuse(*_, **__):
        raise (
            SafetensorError("No space left")
            if "safetensors" in fails
            else OSError(28, "No space left on device")
        )

    with monkeypatch.context() as m:
        m.setattr(fails, refuse)
        with pytest.raises(
            CheckpointError,
            match=r"cannot save in .*net: .*No space left.*What was there before is untouched",
        ):
            Small(Shape(7)).save_pretrained(stored)
    assert {p.name: p.read_bytes() for p in stored.iterdir()} == before and Small.from_pretrained(
        stored
    ).layer.weight.shape == (5, 2)
    (stored / "README.md").write_text("mine")
    Small(Shape(7)).save_pretrained(stored)
    assert (
        Small.from_pretrained(stored).layer.weight.shape == (7, 2)
        and (stored / "README.md").read_text() == "mine"
    )
    assert {p.name for p in stored.iterdir()} == set(before)
    with pytest.raises(CheckpointError, match=r"cannot save in .*model\.safetensors"):
        Small().save_pretrained(stored / "model.safetensors")


@pytest.mark.filterwarnings("ignore:mind")
def test_pushing_goes_to_the_hub_under_the_folders_name(tmp_path, monkeypatch):
    pushed = []
    monkeypatch.setattr(
        Small, "push_to_hub", lambda self, name, **kw: pushed.append((name, kw)) or "address"
    )
    assert Small().save_pretrained(tmp_path / "net", push_to_hub=True, private=True) == "address"
    assert (tmp_path / "net/config.json").exists()
    assert pushed == [("net", {"config": None, "model_card_kwargs": None, "private": True})]


@pytest.mark.filterwarnings("ignore:mind")
def test_a_save_that_is_cut_off_between_its_two_moves_is_still_one_model(stored, monkeypatch):
    move = os.replace

    def killed(source, target):
        if Path(target).name == "config.json":
            raise KeyboardInterrupt
        move(source, target)

    with monkeypatch.context() as m:
        m.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            Small(Shape(7)).save_pretrained(stored)
    assert json.loads((stored / "config.json").read_text()) == {"width": 5}
    with pytest.warns(UserWarning, match="config.json is not the config that the weights"):
        assert Small.from_pretrained(stored).layer.weight.shape == (7, 2)
    (stored / "config.json").unlink()
    assert Small.from_pretrained(stored).layer.weight.shape == (7, 2)


@pytest.mark.filterwarnings("ignore:mind")
def test_every_altered_byte_of_stored_weights_is_found(stored):
    file = stored / "model.safetensors"
    blob = file.read_bytes()
    for at in range(8, len(blob), 7):
        file.write_bytes(blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            Small.from_pretrained(stored)


class Bare(nn.Module, Pretrained):
    "A model that takes no arguments, and so has no config."

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)


def test_a_model_without_arguments_is_stored_too(tmp_path):
    model = Bare()
    model.save_pretrained(tmp_path)
    assert not (tmp_path / "config.json").exists()
    assert torch.equal(Bare.from_pretrained(tmp_path).layer.weight, model.layer.weight)


@pytest.mark.filterwarnings("ignore:mind")
def test_pickles_are_never_read(stored):
    (stored / "model.safetensors").rename(stored / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="no model.safetensors in .*pytorch_model.bin"):
        Small.from_pretrained(stored)


@pytest.mark.filterwarnings("ignore:mind")
def test_weights_of_others_without_any_config_are_refused(stored):
    save_file({"layer.weight": torch.ones(5, 2)}, stored / "model.safetensors")
    (stored / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json in .*carries no config"):
        Small.from_pretrained(stored)


@pytest.mark.filterwarnings("ignore:mind")
def test_what_a_killed_save_left_is_removed_an_hour_later(stored):
    for name, age in ((".save-old", 7200), (".save-new", 60)):
        (stored / name).mkdir()
        os.utime(stored / name, (time.time() - age, time.time() - age))
    Small(Shape(5)).save_pretrained(stored)
    assert not (stored / ".save-old").exists() and (stored / ".save-new").exists()


@pytest.mark.parametrize(
    "value,words",
    [
        ("five", "width is 'five'; expected int"),
        (True, "width is True; expected int"),
        (5.5, "width is 5.5; expected int"),
        (None, "width is None; expected int"),
        ([5], r"width is \[5\]; expected int"),
        (10**12, "width is 1000000000000; the weights beside it have 15 numbers"),
        (900, "its model has 2,700 numbers, and the weights have 15"),
    ],
)
@pytest.mark.filterwarnings("ignore:mind")
def test_a_config_is_compared_with_the_weights_before_anything_is_built(stored, value, words):
    save_file(
        {"layer.weight": torch.ones(5, 2), "layer.bias": torch.ones(5)},
        stored / "model.safetensors",
    )
    (stored / "config.json").write_text(json.dumps({"width": value}))
    with pytest.raises(CheckpointError, match=rf"config\.json is no config of Small: {words}"):
        Small.from_pretrained(stored)


def test_names_that_read_alike_are_kept_apart_and_odd_keys_are_refused(tmp_path):
    a, b = torch.zeros(1), torch.ones(1)
    state = {"ema": {"w": a}, "ema.w": b, "ids": {0: a, "0": b}}
    save_checkpoint(tmp_path, 1, state)
    found = load_checkpoint(tmp_path)
    assert found["ema"]["w"] == 0 and found["ema.w"] == 1
    assert found["ids"][0] == 0 and found["ids"]["0"] == 1
    with pytest.raises(TypeError, match=r"ids has the key \(0, 1\), a tuple"):
        save_checkpoint(tmp_path, 2, {"ids": {(0, 1): a}})


def test_what_is_named_like_a_checkpoint_and_is_none(tmp_path):
    save_checkpoint(tmp_path, 1, {"a": 1})
    (tmp_path / "step_00000005.safetensors").mkdir()
    assert load_checkpoint(tmp_path)["step"] == 1
    save_checkpoint(tmp_path, 2, {"a": 2})
    (tmp_path / "step_00000002.safetensors").rename(tmp_path / "step_00000009.safetensors")
    with pytest.raises(CheckpointError, match="was saved at step 2: it was renamed"):
        load_checkpoint(tmp_path)


@posix
def test_a_lock_that_is_a_link_empties_nothing(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(victim)
    with pytest.raises(CheckpointError, match=r"\.lock is a link"), FolderLock(tmp_path / "run"):
        pass
    assert victim.read_text() == "mine"


def test_weights_of_another_program_are_told_from_damaged_ones(stored):
    save_file({"layer.weight": torch.ones(5, 2)}, stored / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"holds tensors, but no record of mmgen: .*from_pretrained\(folder\)"
    ):
        load_weights(stored / "model.safetensors")


def test_the_lock_of_windows_leaves_the_owner_readable(tmp_path, monkeypatch):
    held = []

    def locking(fd, mode, n):
        held.extend(range(at := os.lseek(fd, 0, os.SEEK_CUR), at + n))

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    with FolderLock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
        assert held and min(held) >= (tmp_path / ".lock").stat().st_size, (
            "a locked byte cannot be read by another process there"
        )


def test_what_a_checkpoint_may_hold(tmp_path):
    state = {
        "a": [1, 2.5, None, True, "x", {"b": torch.ones(2)}],
        7: {"inf": float("inf")},
        "empty": {},
        "list": [],
    }
    back = load_checkpoint(save_checkpoint(tmp_path, 3, state).parent)
    assert torch.equal(back["a"].pop()["b"], torch.ones(2)) and back["a"] == [
        1,
        2.5,
        None,
        True,
        "x",
    ]
    assert back[7] == {"inf": float("inf")} and back["empty"] == {} and back["list"] == []
    with pytest.raises(TypeError, match=r"bad.x: a checkpoint holds .* not \w*Path"):
        save_checkpoint(tmp_path, 4, {"bad": {"x": Path()}})


def test_no_user_or_place_is_written_into_a_file(tmp_path):
    run(jobs.states(tmp_path, Recipe(steps=6), config={"width": 3}))
    for p in tmp_path.glob("step_*"):
        assert not [
            w
            for w in (str(tmp_path), str(Path.home()) + "/", platform.node())
            if w.encode() in p.read_bytes()
        ]


# Going on


@pytest.mark.parametrize("stop", [1, 5, 13, 23])
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, stop):
    whole = run(jobs.states(tmp_path / "whole"))
    for s in jobs.states(tmp_path / "cut", save_every=1):
        if s.step == stop:
            break
    torch.randn(17)
    random.random()  # what happens in between does not matter
    again = run(jobs.states(tmp_path / "cut"))
    assert jobs.digest(again.model, again.ema) == jobs.digest(whole.model, whole.ema)
    assert again.history == whole.history and [h["step"] for h in whole.history] == list(
        range(1, 25)
    )


@posix
def test_a_killed_run_goes_on_bit_for_bit_in_new_processes(tmp_path, spawn):
    spawn(jobs.train_to, tmp_path / "whole", tmp_path / "a").join(60)
    killed = spawn(jobs.train_to, tmp_path / "cut", tmp_path / "never", 13)
    killed.join(60)
    assert (
        killed.exitcode == -signal.SIGKILL
        and not (tmp_path / "never").exists()
        and load_checkpoint(tmp_path / "cut")["step"] == 10
    )
    subprocess.run(
        [sys.executable, jobs.__file__, tmp_path / "cut", tmp_path / "b"],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_two_processes_train_as_one_with_twice_the_batch_and_go_on_bit_for_bit(tmp_path):
    group = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(mmgen.__file__).parents[1]),
    }
    own = [{**group, "RANK": str(r), "LOCAL_RANK": str(r)} for r in (0, 1)]
    both = [subprocess.Popen([sys.executable, jobs.__file__, tmp_path], env=env) for env in own]
    try:
        assert [p.wait(120) for p in both] == [0, 0]
    finally:
        for p in both:
            p.kill()
    a, b = (torch.load(tmp_path / f"{r}.pt", weights_only=True) for r in (0, 1))
    for end in (a, b):
        assert end["whole"] == end["again"], (
            "the dropout of each process is that of the run that was not stopped"
        )
    one = run(jobs.states(None, model=jobs.still_net(), batches=Batches(jobs.data(), 16, seed=5)))
    for end in (a, b):
        torch.testing.assert_close(end["still"], dict(one.model.state_dict()), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(
            end["losses"], [h["loss"] for h in one.history], atol=1e-6, rtol=1e-5
        )
    with pytest.raises(ValueError, match=r"batches\.processes was 2, now 'absent'"):
        next(jobs.states(tmp_path / "cut"))


def test_loader_processes_give_the_same_stream_and_the_same_run(tmp_path):
    own = jobs.batches()
    stream = jobs.batches(num_workers=2).from_step(4)
    for s in range(4, 8):
        assert all(torch.equal(a, b) for a, b in zip(own[s], next(stream)))
    del stream
    a, b = (
        run(jobs.states(recipe=Recipe(steps=6))),
        run(jobs.states(recipe=Recipe(steps=6), batches=jobs.batches(num_workers=2))),
    )
    assert jobs.digest(a.model) == jobs.digest(b.model)


def test_loader_processes_draw_from_numpy_and_python_as_the_run_itself_would():
    own, spread = (
        Batches(torch.zeros(12, 1), 4, seed=1, transform=jobs.shaken, num_workers=n) for n in (0, 2)
    )
    a, b = ([batch.tolist() for batch, _ in zip(data, range(4))] for data in (own, spread))
    assert a == b and len({str(batch) for batch in a}) == 4


@posix
def test_a_loader_process_that_dies_is_an_error_within_a_minute():
    # In a process of its own: the loader's signal handler may raise anywhere, in pytest as well.
    job = subprocess.run(
        [sys.executable, "-c", "import train_jobs; train_jobs.loader_that_dies()"],
        cwd=Path(jobs.__file__).parent,
        env=os.environ | {"PYTHONPATH": str(Path(mmgen.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    # Whichever notices first: the signal, the closed connection or the end of the queue's file.
    told = re.search("exited unexpectedly|killed|ConnectionReset|EOFError", job.stderr)
    assert job.returncode != 0 and told, job.stderr[-2000:]


def test_early_stopping_and_its_best_weights_survive_a_stop(tmp_path):
    values = [5, 3, 4, 4.5, 6, 2, 1]

    def judge():
        left = iter(values)
        return lambda m: next(left)

    kw = dict(validate_every=2, patience=3, save_every=1)
    whole = run(jobs.states(tmp_path / "a", validate=judge(), **kw))
    for s in jobs.states(tmp_path / "b", validate=judge(), **kw):
        if s.step == 6:
            break
    left = iter(values[3:])
    again = run(jobs.states(tmp_path / "b", validate=lambda m: next(left), **kw))
    assert (
        (whole.step, whole.best, whole.stopped)
        == (again.step, again.best, again.stopped)
        == (10, 3, True)
    )
    assert jobs.digest(whole.ema) == jobs.digest(again.ema)
    done = list(
        jobs.states(tmp_path / "b", validate=judge(), **kw)
    )  # it is over: one state, no step
    assert (
        len(done) == 1 and done[0].step == 10 and jobs.digest(done[0].ema) == jobs.digest(whole.ema)
    )


def test_a_finished_run_yields_its_last_state_once_more(tmp_path):
    first = run(jobs.states(tmp_path))
    again = list(jobs.states(tmp_path))
    assert (
        len(again) == 1
        and again[0].history == first.history
        and again[0].loss == first.loss
        and again[0].logs == first.logs
    )
    assert jobs.digest(again[0].model, again[0].ema) == jobs.digest(first.model, first.ema)


def test_another_setting_is_refused_with_both_values(tmp_path):
    run(jobs.states(tmp_path, config={"width": 64, "codes": 512}))
    other = Recipe(**{**jobs.RECIPE.__dict__, "lr": 0.5})
    with pytest.raises(
        ValueError,
        match=(
            r"recipe\.lr was 0\.01, now 0\.5; config\.codes was 512, now 256; "
            r"config\.depth was 'absent', now 2.*load_state"
        ),
    ):
        next(jobs.states(tmp_path, other, config={"width": 64, "codes": 256, "depth": 2}))
    with pytest.raises(ValueError, match=r"batches\.batch_size was 8, now 4"):
        next(
            jobs.states(
                tmp_path,
                config={"width": 64, "codes": 512},
                batches=Batches(jobs.data(), 4, seed=5),
            )
        )
    with pytest.raises(
        FileExistsError, match="holds step_00000024.safetensors; use another folder, or resume=True"
    ):
        next(jobs.states(tmp_path, resume=False))


def test_a_file_without_optimizer_or_of_another_version_is_refused(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 5, {"model": jobs.model().state_dict()})
    with pytest.raises(
        ValueError, match="it has no optimizers, rng, setting. For its weights only: load_state"
    ):
        next(jobs.states(tmp_path))
    load_state(jobs.model(), load_checkpoint(tmp_path)["model"])
    monkeypatch.setattr(mmgen.files, "FORMAT", 0)
    monkeypatch.setattr(mmgen, "__version__", "0.0.9")
    save_checkpoint(tmp_path, 6, {})
    monkeypatch.undo()
    with pytest.raises(
        CheckpointError, match=r"written by mmgen 0\.0\.9 in format 0; mmgen .* format 1"
    ):
        next(jobs.states(tmp_path))
    save_weights(jobs.model(), tmp_path / "step_00000007.safetensors")
    with pytest.raises(CheckpointError, match="as weights only"):
        next(jobs.states(tmp_path))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("first,then", [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_run_goes_on_on_another_device(tmp_path, first, then):
    for s in jobs.states(tmp_path, device=first):
        if s.step == 10:
            break
    last = run(jobs.states(tmp_path, device=then))
    assert last.step == 24 and next(last.model.parameters()).device.type == then


def test_folders_with_blanks_and_letters_of_any_script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = Path("my run é 数")
    deep = place / ("long" * 30)
    whole = run(jobs.states(place))
    deep.mkdir()
    assert (
        list(jobs.states(place))[0].checkpoint == whole.checkpoint
        and load_checkpoint(place)["step"] == 24
    )
    assert torch.equal(
        load_weights(save_weights(whole.model, deep / "w é.safetensors")).tensors["4.bias"],
        whole.model[4].bias,
    )


# One run at a time, and how it is told to stop


@posix
def test_a_second_process_is_refused_and_a_dead_one_is_no_obstacle(tmp_path, spawn):
    first = spawn(jobs.slow_training, tmp_path / "run", tmp_path / "started")
    wait_for(tmp_path / "started")
    spawn(jobs.second_run, tmp_path / "run", tmp_path / "said").join(60)
    assert (
        f"in use by process {first.pid}: end that run, or give another folder"
        in (tmp_path / "said").read_text()
    )
    first.kill()
    first.join()
    spawn(jobs.second_run, tmp_path / "run", tmp_path / "said").join(60)
    assert (tmp_path / "said").read_text() == "it ran"


def test_a_newer_run_of_this_process_takes_over(tmp_path):
    old = jobs.states(tmp_path)
    next(old)
    assert run(jobs.states(tmp_path)).step == 24  # a notebook cell that is run again
    with pytest.raises(RuntimeError, match="taken over by a newer run"):
        next(old)


@posix
@pytest.mark.parametrize("job", [jobs.slow_training, jobs.slow_observer])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_and_ctrl_c_save_and_exit_with_an_error(tmp_path, spawn, job, number):
    process = spawn(job, tmp_path / "run", tmp_path / "started")
    wait_for(tmp_path / "started")
    sent = time.monotonic()
    os.kill(process.pid, number)
    process.join(10)
    assert process.exitcode not in (None, 0) and time.monotonic() - sent < 10
    if number == signal.SIGTERM:
        assert process.exitcode == 128 + number
    assert load_checkpoint(tmp_path / "run")["step"] >= 3 and not list(
        (tmp_path / "run").glob("*.tmp")
    )


@posix
@pytest.mark.parametrize("where", ["step", "save", "validation"])
def test_ctrl_c_in_the_middle_of(tmp_path, monkeypatch, where):
    fsync, hit = os.fsync, []

    def interrupt(*a):
        if not hit:
            hit.append(1)
            os.kill(os.getpid(), signal.SIGINT)
        return fsync(*a) if where == "save" else 0.0

    def loss_fn(m, b):
        if where == "step" and len(count) == 7:
            interrupt()
        return jobs.loss_fn(m, b)

    count = []
    if where == "save":
        monkeypatch.setattr(os, "fsync", interrupt)
    states = jobs.states(
        tmp_path,
        loss_fn=loss_fn,
        validate=interrupt if where == "validation" else None,
        validate_every=8,
    )
    with pytest.raises(KeyboardInterrupt):
        for s in states:
            count.append(s.step)
    want = {"step": 8, "save": 5, "validation": 8}[where]
    assert (
        load_checkpoint(tmp_path)["step"] == want
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    whole = run(jobs.states())
    assert jobs.digest(run(jobs.states(tmp_path)).model) == jobs.digest(whole.model)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    net = jobs.model()
    states = jobs.states(tmp_path, model=net)
    for s in states:
        if s.step == 9:
            net[0].weight.data[0, 0] = float("inf")
            net[0].weight.requires_grad_(False)
            break
    with pytest.raises(NonFiniteError, match=r"0\.weight.*last good checkpoint is .*step_00000005"):
        for _ in states:
            pass
    assert load_checkpoint(tmp_path)["step"] == 5
