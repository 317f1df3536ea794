"""Many training runs on Ray: each pair of a plan becomes a run folder, exported and compared with the baselines."""
