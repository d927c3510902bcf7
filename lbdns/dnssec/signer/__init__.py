"""The signer: the only process with private keys; what load balancers may answer, signed before it is asked for."""
