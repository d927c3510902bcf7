"""What others get of zones: which serial, what came and went from one to the next, load balancers as records."""
