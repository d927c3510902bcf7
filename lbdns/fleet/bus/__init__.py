"""What machines tell each other by: subjects, a stream, and a connection that is believed only while it is heard."""
