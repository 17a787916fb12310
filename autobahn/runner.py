"""Runs the cases in parts, two at a time, judges every one of them, and prints what came out."""

import argparse
import fcntl
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

AGENT = "sansock"
# AutobahnTestSuite 25.10.1 and 0.8.2 have the same 517 cases. Another number means that the list was
# misread or that the suite has changed: both must show.
CASES_OF_THE_SUITE = 517
# Of the 18 cases in each group of sections 12 and 13 (permessage-deflate), --sample takes the smallest
# message (16 bytes) and, from the middle, 8,192 bytes in fragments of 256.
SAMPLE_OF_A_GROUP = (1, 11)
# The adapters, and the roles that each has.
ROLES = {"net": ("server", "client"), "tokio": ("server", "client"), "axum": ("server",)}
COLUMNS = ("OK", "INFORMATIONAL", "NON-STRICT", "FAILED", "UNIMPLEMENTED", "MISSING")
PASSED = ("OK", "INFORMATIONAL")

EPILOG = """\
A case passes when both its behaviour and its close are OK or INFORMATIONAL. NON-STRICT and
UNIMPLEMENTED fail, and so does a case without a report. The last line is `N passed, N failed`; the
exit status is 0 only if none failed, 1 if some did, 2 if the run could not be made.

  autobahn/run                         all 517 cases in both roles
  autobahn/run --sample                what CI runs
  autobahn/run server --cases '6.*'    section 6 against the echo server
"""


class Broken(Exception):
    """The run cannot be made."""


def key(case):
    """The order of cases: 9.2.1 before 10.1.1."""
    return tuple(int(number) for number in case.split("."))


def roles_of(adapter, role):
    """The roles to run: those that the adapter has."""
    if role == "all":
        return ROLES[adapter]
    if role not in ROLES[adapter]:
        raise Broken(f"{adapter} has no {role}")
    return (role,)


def in_sample(case):
    section, _, *last = key(case)
    return section not in (12, 13) or last[0] in SAMPLE_OF_A_GROUP


def expand(patterns, all_cases):
    """The cases that match any pattern, in order: whole ids, `*` for any run of characters.

    A pattern that matches nothing is an error: a slip of the keyboard would look like a passed run.
    """
    chosen = set()
    for pattern in patterns:
        regex = re.compile(".*".join(map(re.escape, pattern.split("*"))))
        matched = [case for case in all_cases if regex.fullmatch(case)]
        if not matched:
            raise Broken(f"no case matches '{pattern}'")
        chosen.update(matched)
    return sorted(chosen, key=key)


def cut(cases):
    """The parts, the long ones first: each section, of 9, 12 and 13 each group.

    wstest uses one core, is slower than what it tests, and writes its reports only when it ends.
    """
    def part(case):
        section, group = key(case)[:2]
        return (section, group if section in (9, 12, 13) else 0)

    parts = [list(cases) for _, cases in itertools.groupby(sorted(cases, key=key), part)]
    return parts[::-1]


class Child:
    """A process in a group of its own, with its output in a file. None outlives the run."""

    running, lock, over = [], threading.Lock(), False

    def __init__(self, log, *command):
        self.log = log
        with Child.lock, open(log, "wb") as output:
            if Child.over:
                raise Broken("stopped")
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)
            Child.running.append(self)

    def wait(self, seconds):
        """The exit status, None if the time ran out first."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        """Asks the group to end, and then kills what is left."""
        for number, seconds in ((signal.SIGTERM, 3), (signal.SIGKILL, None)):
            try:
                os.killpg(self.process.pid, number)
            except (ProcessLookupError, PermissionError):
                pass
            self.wait(seconds)

    @staticmethod
    def stop_all():
        with Child.lock:
            Child.over = True
        for child in Child.running:
            child.stop()

    def text(self):
        return self.log.read_text(errors="replace")

    def find(self, pattern, seconds):
        """The first group of a pattern, as soon as it is printed."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text())):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Broken(f"{self.process.args[0]} does not start; its output:\n{self.tail()}")
            time.sleep(0.05)
        return found[1]

    def tail(self):
        """How it goes, and its last lines."""
        lines = self.text().strip().splitlines()[-15:] or ["(no output)"]
        return "\n".join([f"exit status {self.process.poll()}", *(f"    {line[:300]}" for line in lines)])

    def last_case(self):
        return (re.findall(r"Running test case ID ([\d.]+)", self.text()) or ["none"])[-1]


class Run:
    """Where things are, and what the command line says."""

    def __init__(self, options):
        target = Path(os.environ["TARGET"])
        self.home = target / "autobahn"
        self.examples = target / "release/examples"
        self.wstest = shlex.split(os.environ["WSTEST"])
        self.options = options
        prefix = "" if options.of == "net" else options.of + "_"
        self.reports = self.home / "reports" / options.of
        self.server, self.client = (self.examples / (prefix + name) for name in ("echo_server", "autobahn_client"))

    def start_wstest(self, mode, directory, cases, **more):
        spec = directory / f"{mode}.json"
        spec.write_text(json.dumps({"outdir": str(directory), "cases": cases, "exclude-cases": [],
                                    "exclude-agent-cases": {}, **more}))
        return Child(directory / "wstest.log", *self.wstest, "-m", mode, "-s", spec, "-u", "0")

    def attack(self, directory, cases, url):
        """wstest's client against our server, which all parts share."""
        wstest = self.start_wstest("fuzzingclient", directory, cases, servers=[{"agent": AGENT, "url": url}])
        status = wstest.wait(self.options.timeout)
        wstest.stop()
        if status != 0:
            return [f"wstest broke down or took too long, the last case was {wstest.last_case()}: {wstest.tail()}"]
        return []

    def serve(self, directory, cases, _url):
        """wstest's server for a client of ours."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"ws://127.0.0.1:{probe.getsockname()[1]}"
        wstest = self.start_wstest("fuzzingserver", directory, cases, url=url)
        wait_for(wstest, url)
        client = Child(directory / "testee.log", self.client, url, "--agent", AGENT)
        status, notes = client.wait(self.options.timeout), []
        client.stop()
        if status != 0:
            notes.append(f"the client broke down or took too long, the last case was {wstest.last_case()}: "
                         f"{client.tail()}")
        if wstest.process.poll() is not None:
            notes.append(f"wstest ended during the run: {wstest.tail()}")
        wstest.stop()
        return notes

    def role(self, name, cases):
        """Runs the cases in this role of ours; gives the Outcome."""
        home, server, url = fresh(self.reports / name), None, None
        if name == "server":
            server = Child(home / "testee.log", self.server, "127.0.0.1:0")
            url = server.find(r"listening on (\S+)", 30)
        parts, reports, notes = cut(cases), {}, []

        def run_part(part):
            directory = fresh(home / f"part-{part[0]}")
            found = (self.attack if server else self.serve)(directory, part, url)
            return part, read(directory, AGENT), found

        with ThreadPoolExecutor(self.options.jobs) as pool:
            try:
                for part, found, more in pool.map(run_part, parts):
                    reports.update(found)
                    notes += [f"{name}, part {part[0]}: {note}" for note in more]
                    print(f"{name}: from {part[0]} on, {len(found)} of {len(part)} reports", flush=True)
            except BaseException:
                Child.stop_all()
                raise
        if server and server.process.poll() is not None:
            notes.append(f"the server ended during the run: {server.tail()}")
        outcome = Outcome(name, cases, reports, notes)
        outcome.write_index(home / "index.json", AGENT)
        return outcome

    def all_cases(self):
        """The ids of all cases, which wstest prints before it connects; port 1 is closed."""
        directory = fresh(self.home / "list")
        wstest = self.start_wstest("fuzzingclient", directory, ["*"],
                                   servers=[{"agent": "none", "url": "ws://127.0.0.1:1"}])
        wstest.wait(60)
        wstest.stop()
        ids = re.findall(r"'([\d.]+)'", wstest.find(r"(?m)^Cases = \[(.*)\]$", 0))
        if len(ids) != CASES_OF_THE_SUITE:
            raise Broken(f"wstest names {len(ids)} cases, not {CASES_OF_THE_SUITE}: {wstest.tail()}")
        return ids


def wait_for(wstest, url):
    """Until it accepts connections."""
    port, deadline = int(url.rsplit(":", 1)[1]), time.monotonic() + 30
    while time.monotonic() < deadline and wstest.process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
    raise Broken(f"wstest does not listen on {url}: {wstest.tail()}")


def fresh(directory):
    """An empty directory: what an earlier run left must not be taken for this one's."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def read(directory, agent):
    """The reports of a part: case id to report, empty without an index.

    A report that is named in the index and cannot be read is left out: its case is a missing one.
    """
    try:
        index = json.loads((directory / "index.json").read_text()).get(agent, {})
    except (OSError, ValueError):
        return {}
    reports = {}
    for case, entry in index.items():
        try:
            detail = json.loads((directory / entry["reportfile"]).read_text())
        except (OSError, ValueError, KeyError):
            continue
        entry["reportfile"] = f"{directory.name}/{entry['reportfile']}"
        reports[case] = {"index": entry, "detail": detail}
    return reports


def verdict(behavior, behavior_close):
    """One word for a case: the worse of how it behaved and how it closed.

    WRONG CODE, UNCLEAN, FAILED BY CLIENT and any word not known here are failures.
    """
    known = ("NON-STRICT", "UNIMPLEMENTED", "INFORMATIONAL", "OK")
    both = (behavior, behavior_close)
    if any(word not in known for word in both):
        return "FAILED"
    return next(word for word in known if word in both)


class Outcome:
    """What a role's run gave for each of the cases that were asked for."""

    def __init__(self, role, expected, reports, notes=()):
        self.role, self.reports, self.notes = role, reports, notes
        self.verdicts = {
            case: verdict(*(reports[case]["index"].get(of) for of in ("behavior", "behaviorClose")))
            if case in reports else "MISSING"
            for case in expected
        }

    def failures(self):
        return [case for case, word in self.verdicts.items() if word not in PASSED]

    def print_failures(self):
        for case in self.failures():
            if case not in self.reports:
                continue
            entry, detail = (self.reports[case][part] for part in ("index", "detail"))
            print(f"{self.role} {case}: behaviour {entry.get('behavior')}, "
                  f"close {entry.get('behaviorClose')} (code {entry.get('remoteCloseCode')})")
            for name in ("description", "expectation", "result", "resultClose"):
                # Descriptions are HTML; what follows the first tag is detail.
                text = " ".join(str(detail.get(name) or "").split("<")[0].split())
                if text:
                    print(f"    {name}: {text}")
        # One broken part can lose hundreds.
        missing = [case for case in self.failures() if case not in self.reports]
        if missing:
            print(f"{self.role} MISSING (no report):")
            print(textwrap.indent(textwrap.fill(" ".join(missing), 92, break_on_hyphens=False), "    "))
        for note in self.notes:
            print(note)

    def print_table(self):
        rows = {}
        for case, word in self.verdicts.items():
            rows.setdefault(key(case)[0], Counter())[word] += 1
        heads = ("cases", *COLUMNS)
        print(f"\n{self.role:<8}" + "".join(f"  {head}" for head in heads))
        for section, counts in sorted(rows.items()):
            numbers = (sum(counts.values()), *(counts[word] for word in COLUMNS))
            print(f"{section:<8}" + "".join(f"  {number:>{len(head)}}" for head, number in zip(heads, numbers)))

    def write_index(self, path, agent):
        """One index for all parts, in the form that wstest writes."""
        index = {agent: {case: self.reports[case]["index"] for case in self.verdicts if case in self.reports}}
        path.write_text(json.dumps(index, indent=3) + "\n")


def arguments():
    parser = argparse.ArgumentParser(
        prog="autobahn/run", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs the Autobahn WebSocket test suite against this crate.")
    parser.add_argument("role", nargs="?", choices=("server", "client", "all"), default="all",
                        help="the role that the crate plays (default: all, one after the other)")
    parser.add_argument("--of", choices=tuple(ROLES), default="net",
                        help="the adapter whose programs are tested (default: net, the blocking one); "
                        "axum is a server only")
    parser.add_argument("--cases", action="append", metavar="PATTERNS",
                        help="only these, as 9.1.1 or '1.*'; comma-separated, may be repeated")
    parser.add_argument("--sample", action="store_true",
                        help="of each group of sections 12 and 13, two cases only")
    parser.add_argument("--jobs", type=int, default=2, metavar="N",
                        help="parts that run at the same time (default: 2)")
    parser.add_argument("--timeout", type=int, default=1200, metavar="SECONDS",
                        help="the most that one part may take (default: %(default)s)")
    return parser.parse_args()


def run(options):
    runner = Run(options)
    runner.home.mkdir(parents=True, exist_ok=True)
    lock = open(runner.home / "run.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Broken("another run is under way in this directory") from None
    patterns = [pattern.strip() for text in options.cases or ["*"] for pattern in text.split(",")]
    chosen = [case for case in expand(patterns, runner.all_cases()) if not options.sample or in_sample(case)]
    if not chosen:
        raise Broken("no case is left to run")
    roles = roles_of(options.of, options.role)
    outcomes = [runner.role(name, chosen) for name in roles]
    for outcome in outcomes:
        outcome.print_failures()
    for outcome in outcomes:
        outcome.print_table()
    print(f"\nreports: {runner.home}/reports")
    failed = sum(len(outcome.failures()) for outcome in outcomes)
    print(f"{len(roles) * len(chosen) - failed} passed, {failed} failed", flush=True)
    # A testee that crashed after its last case has no failed case to show for it.
    return 1 if failed or any(outcome.notes for outcome in outcomes) else 0


def main():
    options = arguments()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # SIGINT too: a shell starts a background job with it ignored.
    for number in signals:
        signal.signal(number, signal.default_int_handler)
    try:
        return run(options)
    except KeyboardInterrupt:
        print("autobahn/run: stopped", file=sys.stderr)
        return 130
    except (OSError, Broken) as error:
        print(f"autobahn/run: {error}", file=sys.stderr)
        return 2
    finally:
        # A second Ctrl-C must not break off the clearing up.
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        Child.stop_all()


if __name__ == "__main__":
    sys.exit(main())
