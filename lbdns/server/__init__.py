"""The processes of `lbdns serve`: a supervisor that binds, publishes and restarts; responder workers that answer.

Reading order: supervisor (what runs when), publish (from files to a generation in force), sockets, workers
(starting, replacing and taking over), worker (one responder process), udp, tcp.
"""
