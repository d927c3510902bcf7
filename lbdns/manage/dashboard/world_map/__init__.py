"""The world as SVG paths: outlines from geodata/, projected once."""
