"""The nats-server that lbdns starts itself: its configuration, keys and the line that others join by."""
