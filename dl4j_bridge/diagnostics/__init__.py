"""Why does it not learn? Checks by layer, from cheap to dear: data, hand-over, network, learning, output."""
