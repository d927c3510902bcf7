"""From one state to another: differences, files in and out, an earlier revision back."""
