"""The command line of autobahn/run."""

import argparse
import fcntl
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from . import cases, suite, testees
from .processes import NotAccepting, Processes, Stopped, last_match
from .roles import AGENT, Client, Server

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = ROOT / "target" / "autobahn"

# Sections 12 and 13 are about permessage-deflate. UNIMPLEMENTED is a failure.
DEFLATE = "required"

EPILOG = """\
A case passes when both its behaviour and its close are OK or INFORMATIONAL. NON-STRICT fails,
and so does a case without a report. The last line is `N passed, N failed`; the exit status is
0 only if none failed, 1 if some did, 2 if the run could not be made.

  autobahn/run                         all 517 cases in both roles
  autobahn/run --sample                what CI runs
  autobahn/run server --cases '6.*'    section 6 against the echo server
"""


def arguments():
    parser = argparse.ArgumentParser(
        prog="autobahn/run", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs the Autobahn WebSocket test suite against this crate.")
    parser.add_argument("role", nargs="?", choices=("server", "client", "all"), default="all",
                        help="the role that the crate plays (default: all, one after the other)")
    parser.add_argument("--cases", action="append", metavar="PATTERNS",
                        help="only these, as 9.1.1 or '1.*'; comma-separated, may be repeated")
    parser.add_argument("--sample", action="store_true",
                        help="of each group of sections 12 and 13, two cases only")
    parser.add_argument("--deflate", choices=("absent", "required"), default=DEFLATE,
                        help="whether UNIMPLEMENTED is expected in sections 12 and 13, or a "
                        "failure (default: %(default)s)")
    parser.add_argument("--jobs", type=positive, default=2, metavar="N",
                        help="parts that run at the same time (default: 2)")
    parser.add_argument("--timeout", type=positive, metavar="SECONDS",
                        help="the most that one part may take (default: by its cases)")
    parser.add_argument("--server-command", metavar="COMMAND",
                        help="test this server; {} stands for ADDRESS:PORT, which else comes last")
    parser.add_argument("--client-command", metavar="COMMAND",
                        help="test this client; {} stands for the URL; without one, "
                        f"`URL --agent {AGENT}` comes last. It must report as {AGENT}")
    return parser.parse_args()


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def main():
    options = arguments()
    processes = Processes()
    # SIGINT too: a shell starts a background job with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return run(options, processes)
    except KeyboardInterrupt:
        print("autobahn/run: stopped", file=sys.stderr)
        return 130
    except (OSError, ValueError, NotAccepting, Stopped, subprocess.CalledProcessError,
            suite.Unavailable, testees.BuildFailed) as error:
        print(f"autobahn/run: {error}", file=sys.stderr)
        return 2
    finally:
        # A second Ctrl-C must not break off the clearing up.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        processes.stop_all()


def run(options, processes):
    roles = ("server", "client") if options.role == "all" else (options.role,)
    HOME.mkdir(parents=True, exist_ok=True)
    lock = open(HOME / "run.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError("another run is under way in this directory") from None

    wstest = suite.find(HOME)
    print(f"{testees.versions(ROOT)}, Python {platform.python_version()}")
    print(f"{wstest.versions()} ({wstest.what})", flush=True)
    chosen = choose(options, all_cases(wstest, processes))
    commands = commands_for(options, roles)

    outcomes, notes = [], []
    for name in roles:
        directory = fresh(HOME / "reports" / name)
        kind = Server if name == "server" else Client
        role = kind(name, commands[name], wstest, processes, directory, options)
        outcomes.append(role.run(chosen))
        notes += role.notes
    return summary(outcomes, notes)


def commands_for(options, roles):
    """For each role, the function from an address to the testee's command."""
    given = {"server": options.server_command, "client": options.client_command}
    to_build = [testees.EXAMPLES[role] for role in roles if not given[role]]
    built = testees.build(ROOT, to_build) if to_build else {}
    commands = {}
    for role in roles:
        defaults = ["--agent", AGENT] if role == "client" else []
        if given[role]:
            commands[role] = testees.command_for(given[role], defaults)
        else:
            program = built[testees.EXAMPLES[role]]
            commands[role] = lambda address, program=program, defaults=defaults: [
                program, address, *defaults]
    return commands


def all_cases(wstest, processes):
    """The ids of all cases, which wstest prints before it connects."""
    directory = fresh(HOME / "list")
    spec, log = directory / "fuzzingclient.json", directory / "wstest.log"
    # Nobody listens on port 1: wstest gives up at once.
    spec.write_text('{"outdir": "%s", "cases": ["*"], "servers": '
                    '[{"agent": "none", "url": "ws://127.0.0.1:1"}]}' % directory)
    process = wstest.start(processes, "fuzzingclient", spec, log)
    process.wait(60)
    processes.stop(process)
    line = last_match(log, r"(?m)^Cases = \[(.*)\]$")
    ids = [word.strip(" '") for word in line.split(",")] if line else []
    if len(ids) != cases.CASES_OF_THE_SUITE:
        raise ValueError(f"wstest names {len(ids)} cases, not {cases.CASES_OF_THE_SUITE}; "
                         f"its output:\n{process.tail()}")
    return ids


def choose(options, every_case):
    patterns = [pattern.strip() for text in options.cases or ["*"] for pattern in text.split(",")]
    chosen = cases.expand(patterns, every_case)
    if options.sample:
        chosen = [case for case in chosen if cases.in_sample(case)]
    if not chosen:
        raise ValueError("no case is left to run")
    return chosen


def fresh(directory):
    """An empty directory: what an earlier run left must not be taken for this one's."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    return directory


def summary(outcomes, notes):
    for outcome in outcomes:
        outcome.print_failures()
    for note in notes:
        print(note)
    for outcome in outcomes:
        print()
        outcome.print_table()
        outcome.print_deflate()
        print(f"{outcome.role}: reports in target/autobahn/reports/{outcome.role}/index.json")
    passed = sum(outcome.passed() for outcome in outcomes)
    failed = sum(len(outcome.failures()) for outcome in outcomes)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    # A testee that crashed after its last case has no failed case to show for it.
    return 1 if failed or notes else 0
