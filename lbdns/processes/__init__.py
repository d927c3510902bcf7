"""The processes of `lbdns serve`: a supervisor that binds, publishes and restarts; responders that answer."""
