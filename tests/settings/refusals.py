"""How a setting out of range is refused."""

import pytest

from dl4j_bridge.errors import InputError

NAN, INF = float("nan"), float("inf")


def refuses(name, value, check, *args):
    """Assert that the call names the option as the command line does, in one line."""
    with pytest.raises(InputError) as e:
        check(*args)
    # A value that fills a line is cut.
    assert str(e.value).startswith(f"--{name.replace('_', '-')}: {str(value)[:57]}")
    assert "; wanted " in str(e.value)
    assert len(str(e.value).splitlines()) == 1
