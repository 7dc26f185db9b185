"""What the classes of this library have in common, whatever they are about.

`value` compares, hashes and shows values; `display` draws tables in notebooks; `hide_locals` keeps secrets
out of tracebacks. Nothing else of the library is imported here.
"""
