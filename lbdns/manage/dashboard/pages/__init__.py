"""The pages, a module each; page_table.py lists them."""
