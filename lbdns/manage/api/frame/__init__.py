"""What every area of the management API stands in."""
