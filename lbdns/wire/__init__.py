"""The wire: datagrams to values. No I/O, and nothing that came from the network raises."""
