"""Places: from an IP address to country, subdivision, coordinates, region and AS number.

Start with `geodata.Geodata`. `mmdb` reads and checks a file's search tree, `schema` turns one of its records into a
`Place`, `place_tree` is the look-up tree over places that snapshots are compiled from; `regions`, `pops` and
`centroids` (coordinates where a database knows none) stand apart.
"""
