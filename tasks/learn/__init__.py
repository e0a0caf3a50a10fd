"""Learning: the Trainer's set-up, certified checkpoints, metrics, baselines and pictures."""
