"""The fast path: batches of datagrams answered without the interpreter, from templates that the slow path rendered."""
