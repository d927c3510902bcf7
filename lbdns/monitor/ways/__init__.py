"""Ways: how a probe's sockets leave this machine for a virtual network, and whether that way itself works."""
