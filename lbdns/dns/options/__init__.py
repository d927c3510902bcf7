"""EDNS options, a module each: `decode_` reads a query's, `encode_` writes a reply's; option_table.py lists them."""
