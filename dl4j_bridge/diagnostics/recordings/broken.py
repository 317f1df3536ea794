"""Has what the fixed model leaves a cause that breaks all of it?"""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.recordings.dropouts import dropouts
from dl4j_bridge.diagnostics.recordings.resolution import is_crushed
from dl4j_bridge.diagnostics.recordings.swapped import is_swapped
from dl4j_bridge.diagnostics.recordings.takes import wrong_takes


def is_broken(case: Case) -> bool:
    """Whether the files are exchanged, or there are gaps, clicks, few levels or another take."""
    return is_mistaken(case) or any(dropouts(case).values())


def is_mistaken(case: Case) -> bool:
    """Whether the files are exchanged, or the target has few levels, or is in part another take."""
    return is_swapped(case) or is_crushed(case) or bool(wrong_takes(case))
