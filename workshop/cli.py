"""The commands of a checkout: `python3 course.py COMMAND` opens the course, runs it, checks it and
builds its pages.
"""

import os
import signal
import subprocess
import sys

from mmgen.cli import build, learner_commands, start


def course_commands(command):
    "What opens, runs and checks the course."
    add = command(lab, "open the course in JupyterLab", "Further arguments go to JupyterLab.")
    add("notebook", nargs="?", default="00", help="notebook to open (default: the tour)")
    add("--no-browser", action="store_true", help="only print the address")
    add(
        "--port",
        type=int,
        default=8888,
        help="port to listen on; the next free one is taken if it is in use",
    )
    add = command(
        run,
        "run notebooks in order",
        "Executed copies and a report with every figure go to run/PROFILE/.",
    )
    add(
        "notebooks",
        nargs="*",
        metavar="notebook",
        help="04, quantizer or 04_quantizer; all if none is named",
    )
    add(
        "--profile",
        default="cpu",
        help="smoke (to see that it runs), cpu (default) or gpu; see settings.ini",
    )
    add("--jobs", type=int, default=1, metavar="N", help="notebooks at once")
    add("--from", dest="start", metavar="NN", help="begin with this notebook")
    add(
        "--resume",
        action="store_true",
        help="keep what an earlier run finished and nothing has changed since",
    )
    add("--fresh", dest="resume", action="store_false", help="run everything again (default)")
    add(
        "--record",
        action="store_true",
        help="note green runs in benchmarks/results/runs.json and in the README's table",
    )
    add("--cell-timeout", type=int, metavar="SECONDS", help="limit for one cell")
    add("-x", "--exitfirst", action="store_true", help="stop at the first notebook that fails")
    add = command(
        test,
        "run the test suite and every notebook at the smoke profile",
        "Further arguments go to pytest.",
    )
    add("--no-notebooks", action="store_true", help="pytest only")
    add = command(
        check,
        "check what every notebook and the repository must hold",
        "Every problem is named with its place.",
    )
    add("notebooks", nargs="*", metavar="notebook", help="notebooks to check; all if none is named")
    add("--list", action="store_true", help="list the gates")


def author_commands(command):
    "What an author of the course uses."
    add = command(
        mutants,
        "put mutants of the reference solutions before the exercises' checkers",
        "None of them may pass.",
    )
    add(
        "names",
        nargs="*",
        metavar="TOPIC or ID",
        help="quantizer or quantizer.nearest; all if none is named",
    )
    add("--sample", type=int, metavar="N", help="only N of them, drawn with --seed")
    add("--seed", type=int, default=0, metavar="S", help="seed of the sample (default 0)")
    add("--survivors", action="store_true", help="show each mutant that passes")
    add("--all", dest="every", action="store_true", help="mutate the other right solutions too")
    add("--jobs", type=int, default=1, metavar="N", help="exercises at once")
    add("--record", action="store_true", help="write the table to benchmarks/results/mutants.md")
    add(
        "--answers",
        metavar="FILE",
        help="judge the answers of this file, or of every file of this folder, instead of mutants",
    )
    add = command(
        links, "bring badges, set-up cells and the README's table in step with settings.ini"
    )
    add(
        "--merge",
        metavar="RUNS.JSON",
        help="first add the green runs recorded elsewhere, for instance on a GPU machine",
    )
    add = command(
        publish,
        "write the address of the course everywhere",
        "A second call with the same words changes nothing.",
    )
    add("place", metavar="OWNER/NAME", help="the repository on GitHub")
    add("--branch", help="its main branch (default: the one that settings.ini names)")
    add = command(
        site,
        "build the course as web pages, from the stored notebooks",
        "Nothing is run or fetched; every link is checked.",
    )
    add("--out", default="site", metavar="FOLDER", help="where to put them (default: site)")
    add(
        "--lang",
        default="en",
        help="which question pages the navigation opens: en (default) or zh; both are built",
    )


def parser():
    "The whole command line: the learner's commands, the course's and the authors'."
    return build(
        "course.py",
        "Open the course, run it, check it.",
        course_commands,
        learner_commands,
        author_commands,
    )


def lab(args):
    "Open JupyterLab at a notebook."
    from .repo import find_root, notebooks, pick

    root = find_root()
    path, *_ = pick([args.notebook], notebooks(root))
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={root}",
        "--ServerApp.use_redirect_file=False",  # some browsers may not read files of others
        f"--port={args.port}",
    ]
    command += [f"--LabApp.default_url=/lab/tree/nbs/{path.name}"] + args.rest
    command += ["--no-browser"] if args.no_browser else []
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    print("JupyterLab opens in the browser; Ctrl-C here ends it.", flush=True)
    process = subprocess.Popen(command, cwd=root)
    signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def run(args):
    "Run notebooks."
    from .run import run

    return run(
        args.notebooks,
        args.profile,
        args.jobs,
        args.start,
        args.resume,
        args.record,
        args.cell_timeout,
        args.exitfirst,
    )


SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile")  # two processes, a file of tests in one of them


def test(args):
    "Run pytest, then every notebook at the smoke profile."
    from .repo import find_root
    from .run import run

    command = [sys.executable, "-m", "pytest", *(args.rest or SIDE_BY_SIDE)]
    env = os.environ if args.rest else {"OMP_NUM_THREADS": "1"} | os.environ
    code = subprocess.run(command, cwd=find_root(), env=env).returncode
    return code or (0 if args.no_notebooks or args.rest else run(profile="smoke", jobs=2))


def check(args):
    "Run the gates."
    from . import gates

    return gates.main(args.notebooks, args.list)


def mutants(args):
    "Run the mutants."
    from . import answers, mutation
    from .repo import CourseError

    if args.answers and (args.record or args.every or args.survivors or args.sample is not None):
        raise CourseError("--answers judges answers, no mutants: give it topics or ids only")
    if args.record and (args.names or args.sample is not None or args.every):
        raise CourseError("--record keeps a full run: name no topic, no --sample and not --all")
    try:
        if args.answers:
            return answers.main(args.answers, args.names)
        return mutation.main(
            args.names, args.sample, args.seed, args.survivors, args.jobs, args.every, args.record
        )
    except (KeyError, mutation.MutationError) as e:
        raise CourseError(e.args[0]) from e


def links(args):
    "Bring what follows from settings.ini in step."
    import json

    from . import readme, records, repo

    root = repo.find_root()
    if args.merge:
        records.merge(root, json.loads(open(args.merge, encoding="utf8").read()))
    changed = readme.link_all(root)
    print(
        "\n".join(f"changed {name}" for name in changed)
        or "everything is in step with settings.ini"
    )


def publish(args):
    "Write the address of the course everywhere."
    from .publish import publish
    from .repo import find_root

    changed = publish(find_root(), args.place, args.branch)
    print("\n".join(f"changed {name}" for name in changed) or "everything has this address already")


def site(args):
    "Build the web pages."
    from .site import main

    return main(args.out, args.lang)


def main(argv=None):
    "Entry point of `python3 course.py` once everything is set up; returns the exit code."
    return start(parser(), argv, open_ended=("test", "lab"))
