"""The `mmgen` command: be asked, see how far you are, be interviewed, look at the machine."""

import argparse
import os
import sys


def learner_commands(command):
    "What asks the learner, and what tells how far that went."
    add = command(
        quiz,
        "ask questions in the terminal, those that are due first",
        "Every answer is kept at once; q or Ctrl-D ends.",
    )
    add("--topic", help="only this topic, such as vqvae")
    add("--level", help="only this level: screening, junior, senior or staff")
    add(
        "--kind",
        action="append",
        help="only this kind: oral, choice, numeric or code; may be given again",
    )
    add("--lang", default="en", help="en (default) or zh")
    add("--n", type=int, default=10, help="questions at most (default: 10)")
    add("--seed", type=int, help="draw the same numbers and the same order of options again")
    add("--edit", action="store_true", help="ask exercises too, in $EDITOR")
    add = command(
        progress,
        "show what was passed, what is due and what to read again",
        "Or export, import and report it.",
    )
    add("--lang", default="en", help="en (default) or zh")
    add("--export", metavar="FILE", help="write all progress to one file")
    add(
        "--import",
        dest="restore",
        metavar="FILE",
        help="merge an exported file in; nothing is lost or counted twice",
    )
    add("--report", metavar="REPORT.HTML", help="write a completion report")
    add(
        "--verify",
        metavar="REPORT.HTML",
        help="recompute a completion report from the export named by --from",
    )
    add(
        "--from", dest="source", metavar="FILE", help="the exported file, with --verify or --report"
    )
    add = command(
        interview,
        "hold a mock interview in the terminal",
        "Ctrl-C keeps it; a report (HTML) is written at its end.",
    )
    add(
        "--role",
        default="research engineer",
        choices=["research engineer", "applied scientist", "ml engineer", "product engineer"],
    )
    add("--level", default="junior", choices=["screening", "junior", "senior", "staff"])
    add("--minutes", type=int, default=30, choices=[15, 30, 60])
    add("--lang", default="en", choices=["en", "zh"])
    add("--seed", type=int, default=0, help="another seed, other questions")
    add("--resume", action="store_true", help="go on with the interview that was interrupted")
    add("--report", metavar="FILE", help="where the report goes (default: interview-ID.html here)")
    add = command(
        anki,
        "write the question bank as an Anki deck",
        "Importing a newer deck updates cards and keeps their schedule.",
    )
    add("--out", default="mmgen.apkg", metavar="FILE", help="file to write (default: mmgen.apkg)")
    add("--topic", help="one topic only, for instance vqvae")
    add("--lang", default="both", help="en, zh or both (default)")
    command(doctor, "show what was found: Python, torch, device, versions, data")


def build(prog, description, *groups) -> argparse.ArgumentParser:
    "A command line of these groups of commands; nothing heavy is imported for it."
    ap = argparse.ArgumentParser(prog=prog, description=description)
    sub = ap.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(run, help, more=""):
        p = sub.add_parser(
            run.__name__, help=help, description=f"{help[0].upper()}{help[1:]}. {more}"
        )
        p.set_defaults(run=run)
        return p.add_argument

    for add_commands in groups:
        add_commands(command)
    return ap


def parser() -> argparse.ArgumentParser:
    """The command line of what is installed: the learner's commands. Those of the checkout are in
    `workshop.cli`.
    """
    return build(
        "mmgen",
        "Be asked and examined. In a checkout `python3 course.py` has more commands.",
        learner_commands,
    )


def interview(args):
    "Hold a mock interview."
    from .interview import talk

    return talk.main(
        args.role, args.level, args.minutes, args.lang, args.seed, args.resume, args.report
    )


def anki(args):
    "Write the Anki deck."
    from .interview.anki import main

    return main(args.out, args.topic, args.lang)


def quiz(args):
    "Ask questions."
    from .interview.terminal import run

    try:
        run(args.topic, args.level, args.lang, args.kind, args.n, args.seed, args.edit)
    except ValueError as e:
        print(f"mmgen quiz: {e}", file=sys.stderr)
        return 2


def progress(args):
    "Show, export, import or report what the learner has done."
    from .exercises.exchange import export, restore
    from .exercises.progress import ProgressError
    from .interview import completion, standing

    try:
        if args.restore:
            print(f"{restore(args.restore)} new events from {args.restore}")
        if args.export:
            print(f"{args.export}: SHA-256 {export(args.export)}")
        if args.report:
            print(
                f"{args.report}: SHA-256 "
                f"{completion.make(args.report, args.source, args.lang)['sha256']}"
            )
        if args.verify:
            differs = (
                completion.verify(args.verify, args.source)
                if args.source
                else ["--from is missing: the exported file"]
            )
            print("\n".join(differs) or f"{args.verify} is what {args.source} gives")
            return int(bool(differs))
        if not (args.restore or args.export or args.report):
            print(standing.report(args.lang))
    except (ProgressError, OSError, ValueError) as e:
        print(f"mmgen progress: {e}", file=sys.stderr)
        return 2


def doctor(args):
    "Show what was found."
    from .doctor import report

    return report()


def start(ap, argv=None, open_ended=()) -> int:
    """Read the command line, run its command, give back the exit code; commands in `open_ended`
    take further arguments.
    """
    args, rest = ap.parse_known_args(argv)
    if rest and args.command not in open_ended:
        ap.error(f"unrecognized arguments: {' '.join(rest)}")
    args.rest = rest
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return args.run(args) or 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # piped into `head`
    except Exception as e:
        if type(e).__name__ != "CourseError":
            raise
        print(f"{ap.prog} {args.command}: {e}", file=sys.stderr)
        return 2


def main(argv=None):
    "Entry point of the `mmgen` command; returns the exit code."
    return start(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
