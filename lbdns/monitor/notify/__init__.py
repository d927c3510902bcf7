"""Who is told of changes of health, and how."""
