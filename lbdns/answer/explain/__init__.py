"""Why a name is answered as it is, by the same road."""
