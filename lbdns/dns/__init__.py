"""The protocol: names, record data, messages, master files. No I/O, and nothing that came from the network raises."""
