"""Fast values and first derivatives; where they are absent, the ops compute in plain torch."""
