"""The monitor worker's part in a fleet: other machines are vantage points. Loaded where the settings name a fleet."""
