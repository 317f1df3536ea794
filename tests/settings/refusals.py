"""How a setting out of range is refused."""

import pytest

from dl4j_bridge.errors import InputError

NAN, INF = float("nan"), float("inf")


def refuses(name, value, check, *args):
    """Assert that the call names the option as the command line does, in one line."""
    with pytest.raises(InputError) as e:
        check(*args)
    assert str(e.value).startswith(f"--{name.replace('_', '-')}: {value}; wanted ")
    assert len(str(e.value).splitlines()) == 1
