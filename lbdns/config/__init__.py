"""Configuration: text -> model, every problem at once, each with its file and line.

Start with `loading`. `yaml/` and `lbdns.dns.master` read the two kinds of files; `checks/` holds the parts against one
another.
"""
