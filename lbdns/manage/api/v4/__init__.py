"""The areas of the v4 API, a module each."""
