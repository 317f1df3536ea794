"""Parts of the scoreboard of the diagnosis: recordings, healthy effects, planted faults, and the score."""
