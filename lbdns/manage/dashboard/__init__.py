"""The dashboard: pages for people, at `/` of the management API's addresses. START HERE: door.py.

door        which requests are its own, and what each of them passes first: Host, origin, session, form token
sessions    who is signed in; links that sign in once
page_calls  every page asks the API for what it shows, in this process, as whoever is signed in
page_table  the pages, a row each
pages/      a page a module: a PageRouter, and its templates in templates/
rendering   templates, and the words and numbers in them
forms       form fields <-> the bodies that the API takes, and its errors beside the fields
static/     style sheet, scripts; what others made is in static/vendor, listed in vendored.json

It has no data of its own: what a page shows or changes is the API's, with its permissions, bounds and words.
"""
