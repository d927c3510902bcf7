"""One module a command, loaded when it is called: NAME_command.py holds the command NAME."""
