"""GraphQL over what was answered and how healthy everything was. START HERE: query_execution.py."""
