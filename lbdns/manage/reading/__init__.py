"""What a large request says, read and checked in a process of its own that can be ended."""
