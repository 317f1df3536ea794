"""Where everything is said that is no result: stderr."""

from __future__ import annotations

import logging

from rich.console import Console

# Silent where only errors are wanted, as with --quiet.
stderr = Console(stderr=True, highlight=False, quiet=not logging.getLogger("dl4j_bridge").isEnabledFor(logging.WARNING))
