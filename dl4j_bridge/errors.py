"""The errors that a user sees as one line, and the exit status that each kind ends with."""

from __future__ import annotations

from os import PathLike


class BridgeError(Exception):
    """It ran and met a fault.

    Parameters
    ----------
    subject
        The file, option or part that it is about.
    found
        What was found there.
    wanted
        What is wanted instead, or the command that fixes it.
    """

    exit_status = 1

    def __init__(self, subject: str | PathLike[str], found: str, wanted: str) -> None:
        super().__init__(f"{subject}: {found}; {wanted}")


class InputError(BridgeError):
    """A wrong input or option: nothing was done, nothing was written."""

    exit_status = 2
