"""Child processes: each in a group of its own, none outlives the run."""

import os
import re
import signal
import socket
import subprocess
import threading
import time


class Stopped(Exception):
    """The run is being ended: nothing is started any more."""


class NotAccepting(Exception):
    """A process that was to listen ended, or did not listen in time."""


class Process:
    """A child with its output in a file."""

    def __init__(self, name, popen, log, on_stop):
        self.name = name
        self.log = log
        self._popen = popen
        self._on_stop = on_stop

    def status(self):
        """The exit status, or None while it runs."""
        return self._popen.poll()

    def wait(self, timeout):
        """Waits for the end; False when the time ran out first."""
        try:
            self._popen.wait(timeout)
            return True
        except subprocess.TimeoutExpired:
            return False

    def stop(self):
        """Ends the whole group: asks first, then kills what is left."""
        if self._on_stop and self.status() is None:
            self._on_stop()
        if self.status() is None:
            self._signal(signal.SIGTERM)
            self.wait(3)
        self._signal(signal.SIGKILL)
        self._popen.wait()

    def _signal(self, number):
        try:
            os.killpg(self._popen.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def end(self):
        """How it ended, in words."""
        status = self.status()
        if status is None:
            return "still running"
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"exit status {status}"

    def tail(self, lines=15):
        """The last lines of the output, indented."""
        text = self.log.read_text(errors="replace").strip() or "(no output)"
        return "\n".join("    " + line[:300] for line in text.splitlines()[-lines:])


class Processes:
    """All children of the run, so that one call ends them all."""

    def __init__(self):
        self._lock = threading.Lock()
        self._running = []
        self._stopped = False

    def start(self, name, command, log, env=None, on_stop=None):
        """Starts a command; its output goes to the file `log`."""
        with self._lock:
            if self._stopped:
                raise Stopped
            with open(log, "wb") as output:
                popen = subprocess.Popen(
                    [str(word) for word in command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(env or {})},
                    start_new_session=True,
                )
            process = Process(name, popen, log, on_stop)
            self._running.append(process)
            return process

    def start_listener(self, name, command_for, log, env=None, on_stop=None, seconds=30):
        """Starts what `command_for(port)` says on a free port and waits until it accepts.

        Another program can take the port between our look and the start, so a
        process that ends before it accepts gets a second and a third port.
        """
        for attempt in range(3):
            port = free_port()
            process = self.start(name, command_for(port), log, env, on_stop)
            if accepts(process, port, seconds):
                return process, port
            ended = process.status() is not None
            self.stop(process)
            if not ended:
                raise NotAccepting(f"{name} did not accept on 127.0.0.1:{port} in {seconds} s; "
                                   f"its output:\n{process.tail()}")
        raise NotAccepting(f"{name} ended before it accepted a connection "
                           f"({process.end()}); its output:\n{process.tail()}")

    def stop(self, process):
        process.stop()
        with self._lock:
            if process in self._running:
                self._running.remove(process)

    def stop_all(self):
        """Ends every child and lets no new one start."""
        with self._lock:
            self._stopped = True
            running, self._running = self._running, []
        for process in running:
            process.stop()


def output(command, env=None, cwd=None, seconds=1800, stderr=subprocess.STDOUT):
    """What a command that ends by itself prints.

    Raises CalledProcessError, which has the output, or OSError. A run that is
    broken off here takes the compilers below pip or cargo along.
    """
    child = subprocess.Popen(command, env={**os.environ, **(env or {})}, cwd=cwd, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                             start_new_session=True)
    try:
        printed, _ = child.communicate(timeout=seconds)
    except BaseException as error:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise OSError(f"'{command[0]}' took longer than {seconds} s") from error
        raise
    if child.returncode != 0:
        raise subprocess.CalledProcessError(child.returncode, command, printed)
    return printed


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(process, port, seconds):
    """True as soon as the port accepts; False if the process ends or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            # A taken port accepts too: it must be our process that is alive.
            time.sleep(0.05)
            return process.status() is None
        except OSError:
            if process.status() is not None:
                return False
            time.sleep(0.05)
    return False


def last_match(log, pattern):
    """The first group of the last match in the file, or None."""
    found = re.findall(pattern, log.read_text(errors="replace"))
    return found[-1] if found else None
