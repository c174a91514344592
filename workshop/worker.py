"""One notebook through papermill, in a process of its own; tells what it does as lines of JSON on
standard output.

Started by `workshop.run`. It ends itself when its parent is gone (its standard input closes), so
nothing is left running.
"""

import json
import os
import sys
import tempfile
import threading
from pathlib import Path

GPU_PEAK = (
    "(lambda t: t.cuda.max_memory_allocated() if t and t.cuda.is_available() else "
    "0)(__import__('sys').modules.get('torch'))"
)
# not on Windows
HOST_PEAK = (
    "__import__('resource').getrusage(0).ru_maxrss * (1 if __import__('sys').platform "
    "== 'darwin' else 1024)"
)
OUT = sys.stdout
KNOWN = {
    "DeadKernelError": "the kernel died: it was killed, often because memory ran out",
    "CellTimeoutError": "the cell ran past its limit and was stopped",
}


def say(**event):
    "Tell the parent."
    OUT.write(json.dumps(event) + "\n")
    OUT.flush()


def own_kernel(folder):
    """Make the kernel called python3 this very interpreter, whatever else is registered on the
    machine.
    """
    spec = Path(folder) / "kernels" / "python3"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps(dict(argv=argv, display_name="Python 3 (ipykernel)", language="python")),
        encoding="utf8",
    )
    os.environ["JUPYTER_PATH"] = str(folder)


def end_with_parent():
    "Leave at once when standard input closes; the kernel follows by itself."
    sys.stdin.read()
    os._exit(3)


def engine(state):
    """A papermill engine that announces each cell and asks the kernel for its peaks of memory at
    the end.
    """
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine

    from .kernels import Attentive
    from .repo import kernel_config

    class Client(Attentive, PapermillNotebookClient):
        def papermill_execute_cells(self):
            super().papermill_execute_cells()
            for name, peak in (("gpu", GPU_PEAK), ("host", HOST_PEAK)):
                try:
                    reply = self.wait_for_reply(
                        self.kc.execute(
                            "", silent=True, store_history=False, user_expressions={name: peak}
                        ),
                        None,
                    )
                    state[name] = int(
                        reply["content"]["user_expressions"][name]["data"]["text/plain"]
                    )
                except Exception:
                    state[name] = 0

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(
            cls, nb_man, kernel_name, start_timeout=60, execution_timeout=None, **_
        ):
            start, cells = nb_man.cell_start, len(nb_man.nb.cells)

            def announce(cell, cell_index=None, **kwargs):
                state["cell"] = cell_index
                if cell.cell_type == "code":
                    say(cell=cell_index + 1, of=cells)
                return start(cell, cell_index, **kwargs)

            nb_man.cell_start = announce
            limits = dict(timeout=execution_timeout, startup_timeout=start_timeout)
            return Client(
                nb_man,
                kernel_name=kernel_name,
                record_timing=False,
                config=kernel_config(),
                **limits,
            ).execute()

    return Engine


def describe(error, cell, path):
    "What failed, as the fields that the report shows."
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        what, trace = f"{error.ename}: {error.evalue}", "\n".join(error.traceback)
        return dict(cell=error.cell_index + 1, source=error.source, error=what, traceback=trace)
    try:
        source = json.loads(Path(path).read_text(encoding="utf8"))["cells"][cell]["source"]
    except (OSError, ValueError, LookupError, TypeError):
        source = ""
    what = KNOWN.get(type(error).__name__)
    text = (
        dict(error=what, traceback="")
        if what
        else dict(error=f"{type(error).__name__}: {error}", traceback=str(error))
    )
    return dict(cell=(cell or 0) + 1, source="".join(source)) | text


def main(job):
    "Run `job`: dict of path, out, parameters, folder, timeout."
    import papermill
    from papermill.engines import papermill_engines

    state = {"cell": 0, "gpu": 0, "host": 0}
    papermill_engines.register("mmgen", engine(state))
    with tempfile.TemporaryDirectory() as folder:
        own_kernel(folder)
        try:
            papermill.execute_notebook(
                job["path"],
                job["out"],
                parameters=job["parameters"],
                engine_name="mmgen",
                kernel_name="python3",
                progress_bar=False,
                cwd=job["folder"],
                execution_timeout=job["timeout"],
                start_timeout=120,
            )
        except Exception as e:
            say(failed=describe(e, state["cell"], job["out"]), gpu=state["gpu"])
            return 1
    say(passed=True, gpu=state["gpu"], host=state["host"])
    return 0


if __name__ == "__main__":
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.stdout = sys.stderr
    os._exit(main(job))
