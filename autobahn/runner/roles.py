"""The two roles: the crate as a server under wstest's client, and the reverse."""

import base64
import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from . import cases, report
from .processes import last_match

AGENT = "sansock"

# What a part may take: room for a slow machine, and for the start of wstest.
SECONDS_FOR_ANY_PART = 120
TIMES_THE_EXPECTED = 6


class Role:
    """One role's run: its parts, two at a time, below one report directory."""

    def __init__(self, name, command_for, wstest, processes, directory, options):
        self.name = name
        self.notes = []
        self._command_for = command_for
        self._wstest = wstest
        self._processes = processes
        self._directory = directory
        self._options = options
        self._deflate = options.deflate == "required"

    def run(self, chosen):
        """Runs the cases and gives the Outcome."""
        parts = cases.cut(chosen, self._options.jobs, self._deflate)
        print(f"{self.name}: {len(chosen)} cases in {len(parts)} parts, "
              f"{self._options.jobs} at a time", flush=True)
        reports = {}
        for part in self._run_parts(parts):
            reports.update(part)
        outcome = report.Outcome(self.name, chosen, reports, self._deflate)
        outcome.write_index(self._directory / "index.json", AGENT)
        return outcome

    def _run_parts(self, parts):
        """The reports of each part; one line as each ends, in the order of the parts."""
        found = []
        with ThreadPoolExecutor(self._options.jobs) as pool:
            futures = [pool.submit(self._run_part, number, part)
                       for number, part in enumerate(parts, 1)]
            try:
                for number, (part, future) in enumerate(zip(parts, futures), 1):
                    reports, notes = future.result()
                    self.notes += notes
                    found.append(reports)
                    print(f"{self.name}: part {number} of {len(parts)}: "
                          f"{len(reports)} of {len(part)} reports", flush=True)
            except BaseException:
                for future in futures:
                    future.cancel()
                self._processes.stop_all()
                raise
        return found

    def _run_part(self, number, part):
        directory = self._directory / f"part-{number}"
        directory.mkdir(parents=True)
        notes = self._attack(f"part {number}", directory, part)
        reports = report.read(directory, AGENT)
        return reports, [f"{self.name}, part {number}: {note}" for note in notes]

    def _seconds_for(self, part):
        """A part cannot hang the run: this is the most that it gets."""
        if self._options.timeout:
            return self._options.timeout
        expected = sum(cases.seconds(case, self._deflate) for case in part)
        return SECONDS_FOR_ANY_PART + int(expected * TIMES_THE_EXPECTED)

    def _spec(self, directory, part, **more):
        return json.dumps({"outdir": str(directory), "cases": part, "exclude-cases": [],
                           "exclude-agent-cases": {}, **more})

    def _attack(self, part_name, directory, part):
        """Runs one part; gives notes on what went wrong outside of the cases."""
        raise NotImplementedError


class Server(Role):
    """One testee for all parts; each part is a fuzzing client."""

    def run(self, chosen):
        log = self._directory / "testee.log"
        testee, self._port = self._processes.start_listener(
            "the server", lambda port: self._command_for(f"127.0.0.1:{port}"), log)
        outcome = super().run(chosen)
        if testee.status() is not None:
            self.notes.append(f"the server ended during the run ({testee.end()}); "
                              f"its output:\n{testee.tail()}")
        self._processes.stop(testee)
        return outcome

    def _attack(self, part_name, directory, part):
        spec, log = directory / "fuzzingclient.json", directory / "wstest.log"
        server = {"agent": AGENT, "url": f"ws://127.0.0.1:{self._port}"}
        spec.write_text(self._spec(directory, part, servers=[server]))
        wstest = self._wstest.start(self._processes, "fuzzingclient", spec, log)
        seconds = self._seconds_for(part)
        in_time = wstest.wait(seconds)
        self._processes.stop(wstest)
        if not in_time:
            case = last_match(log, r"Running test case ID ([\d.]+)")
            return [f"not done after {seconds} s, the last case was {case}; wstest writes no "
                    "report then"]
        if wstest.status() != 0:
            return [f"wstest: {wstest.end()}; its output:\n{wstest.tail()}"]
        return []


class Client(Role):
    """Each part is a fuzzing server of its own, with a testee of its own."""

    def _attack(self, part_name, directory, part):
        spec, log = directory / "fuzzingserver.json", directory / "wstest.log"
        wstest, port = self._wstest.start(
            self._processes, "fuzzingserver", spec, log,
            lambda port: self._spec(directory, part, url=f"ws://127.0.0.1:{port}"))
        testee = self._processes.start(
            "the client", self._command_for(f"ws://127.0.0.1:{port}"), directory / "testee.log")
        seconds = self._seconds_for(part)
        in_time = testee.wait(seconds)
        self._processes.stop(testee)
        notes = []
        case = last_match(log, r"Running test case ID ([\d.]+)")
        if not in_time:
            notes.append(f"the client was not done after {seconds} s, the last case was {case}; "
                         f"its output:\n{testee.tail()}")
        elif testee.status() != 0:
            notes.append(f"the client failed ({testee.end()}), the last case was {case}; "
                         f"its output:\n{testee.tail()}")
        if wstest.status() is not None:
            notes.append(f"wstest ended during the run ({wstest.end()}); "
                         f"its output:\n{wstest.tail()}")
        elif len(report.read(directory, AGENT)) < len(part):
            # The client asks for the report as its last act. If it did not get
            # that far, what is there is still worth having.
            update_reports(port)
        self._processes.stop(wstest)
        return notes


def update_reports(port, seconds=60):
    """Asks a fuzzing server to write its reports; back when they are written."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = (f"GET /updateReports?agent={AGENT} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               f"Sec-WebSocket-Key: {key}\r\n\r\n")
    deadline = time.monotonic() + seconds
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            connection.sendall(request.encode())
            answer = b""
            # The Close frame comes after the last report.
            while b"\r\n\r\n\x88" not in answer and time.monotonic() < deadline:
                received = connection.recv(4096)
                if not received:
                    break
                answer += received
    except OSError:
        pass
