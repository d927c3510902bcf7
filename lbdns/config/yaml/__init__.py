"""YAML files -> models, every mistake with its file and line."""
