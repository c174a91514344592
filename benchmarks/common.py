"""What the comparisons with other libraries share: the clock, the machine's name, and the file that
keeps the runs of each device.
"""

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


def seconds(call, device):
    "CPU seconds of one call, or wall seconds on a GPU."
    if device != "cpu":
        torch.cuda.synchronize()
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    call()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - start


def machine(device, peer):
    "What ran it, and the version of the library called `peer`."
    info = Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    cpu = next(
        (line.split(":")[1].strip() for line in info.splitlines() if "model name" in line),
        platform.processor(),
    )
    name = (
        torch.cuda.get_device_name()
        if device != "cpu"
        else f"{cpu}, {torch.get_num_threads()} thread(s)"
    )
    return f"{name}, torch {torch.__version__}, {peer} {version(peer)}"


def keep(name, device, run):
    "Put this device's run into results/NAME.json; all runs that are there, by device."
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    runs = (json.loads(path.read_text()) if path.exists() else {}) | {device: run}
    path.write_text(json.dumps(runs, indent=1) + "\n")
    return runs
