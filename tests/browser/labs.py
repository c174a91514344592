"""JupyterLab on a folder, open in headless Chromium: shared by the browser tests and by
recipes/picture_interview.py.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

CHROMIUM = next(
    (p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))),
    None,
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
CELL = dict(cell_type="code", metadata={}, outputs=[], execution_count=None)
KERNEL = dict(display_name="Python 3 (ipykernel)", language="python", name="python3")
OUT = ".jp-OutputArea-output"


def free_port():
    "A port that nothing listens on."
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write_notebook(path, *sources):
    "A notebook with these code cells."
    cells = [{**CELL, "id": f"cell-{i}", "source": s} for i, s in enumerate(sources)]
    Path(path).write_text(
        json.dumps(
            dict(cells=cells, metadata=dict(kernelspec=KERNEL), nbformat=4, nbformat_minor=5)
        ),
        encoding="utf8",
    )


@contextlib.contextmanager
def jupyterlab(folder, seconds=300):
    """JupyterLab on `folder`, with homes of its own inside it; yields the address with `{}` for a
    path.
    """
    from workshop.run import kill_tree

    port, log = free_port(), Path(folder) / "lab.log"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--port={port}",
        "--no-browser",
        "--allow-root",
        "--LabApp.expose_app_in_browser=True",
        "--IdentityProvider.token=reader",
    ]
    homes = {
        k: str(Path(folder) / v)
        for k, v in dict(
            MMGEN_HOME="home",
            JUPYTER_CONFIG_DIR="config",
            JUPYTERLAB_SETTINGS_DIR="settings",
            JUPYTERLAB_WORKSPACES_DIR="workspaces",
            JUPYTER_DATA_DIR="share",
        ).items()
    }
    root = str(Path(__file__).parents[2])
    with open(log, "w") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | homes | dict(PYTHONPATH=root),
            stdout=out,
            stderr=out,
        )
    try:
        end = time.time() + seconds
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=reader", timeout=5)
                break
            except OSError:
                if time.time() > end:
                    raise RuntimeError(
                        f"JupyterLab did not start:\n{log.read_text()[-3000:]}"
                    ) from None
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/doc/tree/{{}}?token=reader"
    finally:
        kill_tree(process)


@contextlib.contextmanager
def chromium():
    "A browser."
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def open_and_run(browser, address, width=1000, height=1100):
    "A page with the notebook open and all its cells run."
    page = browser.new_page(viewport=dict(width=width, height=height))
    page.set_default_timeout(180_000)
    page.goto(address)
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.context.ready")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.ready")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    return page
