"""The `mmgen` command: open the course, run its notebooks, check them, look at the machine."""
import argparse
import os
import subprocess
import sys


def parser() -> argparse.ArgumentParser:
    "The command line; nothing heavy is imported for it."
    ap = argparse.ArgumentParser(prog="mmgen", description="Open the course, run it, check it.")
    sub = ap.add_subparsers(dest="command", metavar="COMMAND", required=True)
    def command(run, help, more=""):
        p = sub.add_parser(run.__name__, help=help, description=f"{help[0].upper()}{help[1:]}. {more}")
        p.set_defaults(run=run)
        return p.add_argument

    add = command(lab, "open the course in JupyterLab", "Further arguments go to JupyterLab.")
    add("notebook", nargs="?", default="00", help="notebook to open (default: the tour)")
    add("--no-browser", action="store_true", help="only print the address")
    add("--port", type=int, default=8888, help="port to listen on; the next free one is taken if it is in use")

    add = command(run, "run notebooks in order", "Executed copies and a report with every figure go to run/PROFILE/.")
    add("notebooks", nargs="*", metavar="notebook", help="04, quantizer or 04_quantizer; all if none is named")
    add("--profile", default="cpu", help="smoke (to see that it runs), cpu (default) or gpu; see settings.ini")
    add("--jobs", type=int, default=1, metavar="N", help="notebooks at once")
    add("--from", dest="start", metavar="NN", help="begin with this notebook")
    add("--resume", action="store_true", help="keep what an earlier run finished and nothing has changed since")
    add("--fresh", dest="resume", action="store_false", help="run everything again (default)")
    add("--record", action="store_true", help="note green runs in benchmarks/results/runs.json and in the README's table")
    add("--cell-timeout", type=int, metavar="SECONDS", help="limit for one cell")
    add("-x", "--exitfirst", action="store_true", help="stop at the first notebook that fails")

    add = command(test, "run the test suite and, at the smoke profile, the notebooks' own tests", "Further arguments go to pytest.")
    add("--no-notebooks", action="store_true", help="pytest only")
    add = command(check, "check what every notebook and the repository must hold", "Every problem is named with its place.")
    add("notebooks", nargs="*", metavar="notebook", help="notebooks to check; all if none is named")
    add("--list", action="store_true", help="list the gates")
    add = command(links, "bring badges, set-up cells and the README's table in step with settings.ini")
    add("--merge", metavar="RUNS.JSON", help="first add the green runs recorded elsewhere, for instance on a GPU machine")

    add = command(quiz, "ask questions in the terminal, those that are due first", "Every answer is kept at once; q or Ctrl-D ends.")
    add("--topic", help="only this topic, such as vqvae")
    add("--level", help="only this level: screening, junior, senior or staff")
    add("--kind", action="append", help="only this kind: oral, choice, numeric or code; may be given again")
    add("--lang", default="en", help="en (default) or zh")
    add("--n", type=int, default=10, help="questions at most (default: 10)")
    add("--seed", type=int, help="draw the same numbers and the same order of options again")
    add("--edit", action="store_true", help="ask exercises too, in $EDITOR")

    add = command(progress, "show what was passed, what is due and what to read again", "Or export, import and report it.")
    add("--lang", default="en", help="en (default) or zh")
    add("--export", metavar="FILE", help="write all progress to one file")
    add("--import", dest="restore", metavar="FILE", help="merge an exported file in; nothing is lost or counted twice")
    add("--report", metavar="REPORT.HTML", help="write a completion report")
    add("--verify", metavar="REPORT.HTML", help="recompute a completion report from the export named by --from")
    add("--from", dest="source", metavar="FILE", help="the exported file, with --verify or --report")
    command(doctor, "show what was found: Python, torch, device, versions, data")
    return ap


def lab(args):
    "Open JupyterLab at a notebook."
    from .course.repo import find_root, notebooks, pick
    root = find_root()
    path, *_ = pick([args.notebook], notebooks(root))
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}", f"--port={args.port}"]
    command += [f"--LabApp.default_url=/lab/tree/nbs/{path.name}"] + args.rest
    command += ["--no-browser"] if args.no_browser else []
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    print("JupyterLab opens in the browser; Ctrl-C here ends it.", flush=True)
    process = subprocess.Popen(command, cwd=root)
    while True:
        try: return process.wait()
        except KeyboardInterrupt: continue


def run(args):
    "Run notebooks."
    from .course.run import run
    return run(args.notebooks, args.profile, args.jobs, args.start, args.resume, args.record, args.cell_timeout, args.exitfirst)


def test(args):
    "Run pytest, then the notebooks' own tests."
    from .course.repo import find_root
    from .course.testing import notebook_tests
    root = find_root()
    code = subprocess.run([sys.executable, "-m", "pytest", *args.rest], cwd=root).returncode
    return code or (0 if args.no_notebooks or args.rest else notebook_tests(root))


def check(args):
    "Run the gates."
    from .course import gates
    return gates.main(args.notebooks, args.list)


def links(args):
    "Bring what follows from settings.ini in step."
    import json

    from .course import links, records, repo
    root = repo.find_root()
    if args.merge: records.merge(root, json.loads(open(args.merge, encoding="utf8").read()))
    changed = links.link_all(root)
    print("\n".join(f"changed {name}" for name in changed) or "everything is in step with settings.ini")


def quiz(args):
    "Ask questions."
    from .interview.terminal import run
    try: run(args.topic, args.level, args.lang, args.kind, args.n, args.seed, args.edit)
    except ValueError as e: print(f"mmgen quiz: {e}", file=sys.stderr); return 2


def progress(args):
    "Show, export, import or report what the learner has done."
    from .exercises.progress import ProgressError, export, restore
    from .interview import completion, standing
    try:
        if args.restore: print(f"{restore(args.restore)} new events from {args.restore}")
        if args.export: print(f"{args.export}: SHA-256 {export(args.export)}")
        if args.report: print(f"{args.report}: SHA-256 {completion.make(args.report, args.source, args.lang)['sha256']}")
        if args.verify:
            differs = completion.verify(args.verify, args.source) if args.source else ["--from is missing: the exported file"]
            print("\n".join(differs) or f"{args.verify} is what {args.source} gives"); return int(bool(differs))
        if not (args.restore or args.export or args.report): print(standing.report(args.lang))
    except (ProgressError, OSError, ValueError) as e: print(f"mmgen progress: {e}", file=sys.stderr); return 2


def doctor(args):
    "Show what was found."
    from .course.doctor import report
    return report()


def main(argv=None):
    "Entry point of the `mmgen` command; returns the exit code."
    ap = parser()
    args, rest = ap.parse_known_args(argv)
    if rest and args.command not in ("test", "lab"): ap.error(f"unrecognized arguments: {' '.join(rest)}")
    args.rest = rest
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"): stream.reconfigure(errors="replace")
    try: return args.run(args) or 0
    except KeyboardInterrupt: return 130
    except BrokenPipeError: os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()); return 141   # piped into `head`
    except Exception as e:
        if type(e).__name__ != "CourseError": raise
        print(f"mmgen {args.command}: {e}", file=sys.stderr); return 2


if __name__ == "__main__":
    sys.exit(main())
