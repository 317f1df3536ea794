"""The errors that a user sees as one line, with the exit status of each."""

import re
from os import PathLike


class BridgeError(Exception):
    """A command ran and failed.

    Parameters
    ----------
    subject
        File, option or part with the fault.
    found
        Description of the fault.
    wanted
        Description of valid input, or the command that fixes the fault.
    """

    exit_status = 1

    def __init__(self, subject: str | PathLike[str], found: str, wanted: str) -> None:
        # A name or a value may hold anything; a line of a terminal may not.
        super().__init__(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", f"{subject}: {found}; {wanted}"))


class InputError(BridgeError):
    """An input or an option is wrong; the command did nothing and wrote nothing."""

    exit_status = 2
