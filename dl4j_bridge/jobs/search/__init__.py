"""A search for training settings on Optuna: each trial is a training run in a folder of its own."""
