"""What is lbdns's own beside the v4 API: /lbdns/v1."""
