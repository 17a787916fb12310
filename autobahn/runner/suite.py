"""Finds wstest, or makes it: from PATH, in a virtual environment, or in Docker."""

import fcntl
import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

from .processes import output

VERSION = "25.10.1"
IMAGE = "crossbario/autobahn-testsuite"

HELP = f"""\
wstest, the program of the Autobahn test suite, needs Python 2.7. One of these is enough:
  - Python 2.7 with its headers and a C compiler: `python2.7` on PATH, or
    `pyenv install 2.7.18`; autobahn/run then makes a virtual environment itself;
  - a running Docker engine, for the image {IMAGE};
  - a wstest of your own, on PATH or named by the variable WSTEST."""


class Unavailable(Exception):
    """No wstest here; the message says what was tried and what to install."""


class Wstest:
    """How to start wstest."""

    def __init__(self, command, what, in_docker=False):
        self.what = what
        self._command = command
        self._in_docker = in_docker
        self._containers = itertools.count(1)
        self._loopback = Path(__file__).resolve().parent.parent / "loopback"

    def start(self, processes, mode, spec, log, port_of=None):
        """Starts one wstest in the given mode.

        With `port_of`, a function from a port to the content of the spec, it is
        a server: the result is (process, port).
        """
        env = {
            # See loopback/sitecustomize.py.
            "PYTHONPATH": str(self._loopback),
            "PYTHONDONTWRITEBYTECODE": "1",
            # The log tells which case is running, also when wstest is killed.
            "PYTHONUNBUFFERED": "1",
        }
        words = ["-m", mode, "-s", spec, "-u", "0"]
        command, on_stop = self._command, None
        if self._in_docker:
            command, on_stop = self._docker(spec.parent, env)
        if port_of is None:
            return processes.start(f"wstest ({mode})", command + words, log, env, on_stop)

        def command_for(port):
            spec.write_text(port_of(port))
            return command + words

        return processes.start_listener(f"wstest ({mode})", command_for, log, env, on_stop)

    def _docker(self, directory, env):
        name = f"sansock-autobahn-{os.getpid()}-{next(self._containers)}"
        command = ["docker", "run", "--rm", "--init", "--name", name,
                   # The container must reach the testee on 127.0.0.1, and the other way.
                   "--network", "host",
                   "--user", f"{os.getuid()}:{os.getgid()}",
                   "-v", f"{directory}:{directory}", "-w", str(directory),
                   "-v", f"{self._loopback}:{self._loopback}:ro"]
        for variable, value in env.items():
            command += ["-e", f"{variable}={value}"]
        command += [IMAGE, "wstest"]

        def remove():
            subprocess.run(["docker", "rm", "--force", name], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        return command, remove

    def versions(self):
        """What `wstest -a` says, on one line."""
        command = self._command
        if self._in_docker:
            command = ["docker", "run", "--rm", "--init", IMAGE, "wstest"]
        lines = output([*command, "-a"]).split("\n")
        return ", ".join(line.strip() for line in reversed(lines) if line.startswith("Autobahn"))


def find(directory):
    """A Wstest, kept below `directory` if it has to be made."""
    named = os.environ.get("WSTEST")
    if named:
        if not shutil.which(named):
            raise Unavailable(f"WSTEST is '{named}', which is not a program")
        return Wstest([shutil.which(named)], "wstest from the variable WSTEST")
    if shutil.which("wstest"):
        return Wstest([shutil.which("wstest")], "wstest from PATH")
    tried = []
    venv = virtual_environment(directory, tried)
    if venv:
        return Wstest([str(venv / "bin" / "python"), "-m", "autobahntestsuite.wstest"],
                      "wstest in a virtual environment")
    if succeeds(["docker", "info"]):
        return Wstest([], f"Docker image {IMAGE}", in_docker=True)
    tried.append("no Docker engine answers")
    raise Unavailable("\n".join(tried) + "\n" + HELP)


def virtual_environment(directory, tried):
    """The environment with wstest, made on the first run; None if that cannot be done.

    It gets its name only when it is complete, so a run that was broken off
    leaves nothing that the next one would take for finished.
    """
    venv = directory / f"venv-{VERSION}"
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "venv.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if venv.exists():
            return venv
        pythons = list(find_pythons())
        if not pythons:
            tried.append("no Python 2.7 found")
        for python in pythons:
            print(f"making a virtual environment for autobahntestsuite {VERSION} (once, "
                  "about a minute)", flush=True)
            new = directory / "venv.new"
            try:
                make_environment(python, new, directory / "tools")
            except (OSError, subprocess.CalledProcessError) as error:
                printed = getattr(error, "output", None) or ""
                tried.append(f"{error}\n{printed[-2000:]}")
            else:
                # The scripts in bin/ name the old path; `python -m` does not need them.
                new.rename(venv)
                return venv
            finally:
                shutil.rmtree(new, ignore_errors=True)
                shutil.rmtree(directory / "tools", ignore_errors=True)
    return None


def make_environment(python, venv, tools):
    """virtualenv, then the suite. Nothing is written outside of `venv` and `tools`."""
    shutil.rmtree(venv, ignore_errors=True)
    shutil.rmtree(tools, ignore_errors=True)
    env = {"PYTHONNOUSERSITE": "1"}
    for virtualenv, tool_env in virtualenvs(python, tools, env):
        if succeeds([*virtualenv, "--version"], {**env, **tool_env}):
            break
    output([*virtualenv, "--app-data", str(tools / "app-data"), "--python", python, str(venv)],
        {**env, **tool_env})
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    output([*pip, "install", f"autobahntestsuite=={VERSION}"], env)
    output([str(venv / "bin" / "python"), "-m", "autobahntestsuite.wstest", "-a"], env)


def virtualenvs(python, tools, env):
    """Ways to run virtualenv, made one after the other until one works."""
    yield [python, "-m", "virtualenv"], {}
    succeeds([python, "-m", "pip", "install", "--target", str(tools / "site"), "virtualenv"], env)
    yield [python, "-m", "virtualenv"], {"PYTHONPATH": str(tools / "site")}
    # The last release that can make a Python 2.7 environment from Python 3.
    output(["python3", "-m", "venv", str(tools / "python3")], env)
    python3 = str(tools / "python3" / "bin" / "python")
    output([python3, "-m", "pip", "install", "virtualenv==20.21.1"], env)
    yield [python3, "-m", "virtualenv"], {}


def find_pythons():
    """Every Python 2.7 that starts, CPython before PyPy."""
    roots = [os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv"]
    candidates = ["python2.7", "python2"]
    for pattern in ("2.7*/bin/python", "pypy2.7*/bin/pypy"):
        for root in filter(None, roots):
            candidates += sorted(Path(root).glob(f"versions/{pattern}"), reverse=True)
    candidates += ["pypy2.7", "pypy2", "pypy"]
    seen = set()
    for candidate in candidates:
        path = shutil.which(candidate)
        if not path:
            continue
        # A shim of pyenv is on PATH even when it has no 2.7 to start.
        try:
            found = output([path, "-c", "import sys; print(sys.executable); print(sys.version)"])
        except (OSError, subprocess.CalledProcessError):
            continue
        executable, version = found.split("\n")[:2]
        if re.match(r"2\.7\.", version) and executable not in seen:
            seen.add(executable)
            yield executable


def succeeds(command, env=None):
    try:
        output(command, env)
        return True
    except (OSError, subprocess.CalledProcessError):
        return False
