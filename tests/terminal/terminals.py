"""A command in a terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios

import pyte

from tests.conftest import command

HEIGHT = 60
# What sets another width, or colours without a terminal.
_NOT_IN_A_TERMINAL = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")


def shown(width: int, *args: object, status: int = 0) -> tuple[list[str], list[str]]:
    """Run a command, which ends with `status`, in a pseudo-terminal.

    Returns
    -------
    lines : list of str
        What is on the screen at the end, and what was scrolled away.
    live : list of str
        Lines that were on the screen before, such as progress.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, width, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in _NOT_IN_A_TERMINAL} | {"TERM": "xterm"}
    process = subprocess.Popen(command(*args), stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    screen = pyte.HistoryScreen(width, HEIGHT, history=5000)
    stream = pyte.ByteStream(screen)
    live: dict[str, None] = {}
    while part := _read(ours):
        stream.feed(part)
        live |= dict.fromkeys(line.rstrip() for line in screen.display)
    os.close(ours)
    assert process.wait() == status, "\n".join(screen.display)
    above = ["".join(row[column].data for column in range(width)).rstrip() for row in screen.history.top]
    lines = above + [line.rstrip() for line in screen.display]
    return lines, [line for line in live if line not in lines]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        # So Linux tells that the last process has closed the terminal.
        return b""
