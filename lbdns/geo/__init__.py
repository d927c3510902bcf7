"""Places: from an IP address to country, subdivision, coordinates, region and AS number.

Start with `geodata.Geodata`. `mmdb` reads and checks a file's search tree, `schema` turns one of its records into a
`Place`, `tree` is the look-up tree over places that snapshots are compiled from; `regions` and `pops` stand apart.
"""

from lbdns.geo.geodata import Geodata, Source
from lbdns.geo.place import Address, Located, Place
from lbdns.geo.shipped import geodata_dir
from lbdns.geo.tree import PlaceTree

__all__ = ["Address", "Geodata", "Located", "Place", "PlaceTree", "Source", "geodata_dir"]
