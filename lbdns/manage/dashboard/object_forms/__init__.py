"""Forms of objects, made of the API's schemas. START HERE: form_field.py."""
