"""What is put to the test: the crate's examples, or any command."""

import json
import shlex
import subprocess

from .processes import output

EXAMPLES = {"server": "echo_server", "client": "autobahn_client"}


class BuildFailed(Exception):
    """cargo could not build an example; it has said why."""


def command_for(template, defaults):
    """A function from an address to the words of a command.

    `{}` in the template stands for the address; without one it comes last,
    followed by `defaults`.
    """
    words = shlex.split(template)
    if not any("{}" in word for word in words):
        words += ["{}", *defaults]
    return lambda address: [word.replace("{}", address) for word in words]


def build(root, examples):
    """Builds the examples once, with permessage-deflate; gives the path of each."""
    command = ["cargo", "build", "--release", "--features", "deflate",
               "--message-format=json-render-diagnostics"]
    for example in examples:
        command += ["--example", example]
    try:
        messages = output(command, cwd=root, stderr=None)
    except subprocess.CalledProcessError:
        raise BuildFailed(f"cargo could not build {' and '.join(examples)}") from None
    paths = {}
    for line in messages.splitlines():
        message = json.loads(line)
        if message.get("executable") and "example" in message["target"]["kind"]:
            paths[message["target"]["name"]] = message["executable"]
    return paths


def versions(root):
    """The crate's version and the compiler's."""
    metadata = json.loads(output(["cargo", "metadata", "--format-version", "1", "--no-deps"],
                                 cwd=root, stderr=None))
    crate = next(package["version"] for package in metadata["packages"]
                 if package["name"] == "sansock")
    return f"sansock {crate}, {output(['rustc', '--version'], cwd=root).strip()}"
