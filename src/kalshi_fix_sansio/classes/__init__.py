"""What the classes of this library have in common, whatever they are about.

`value` compares, hashes and shows values; `fast_init` makes frozen ones quickly; `explained` has a class's
docstring say what each attribute means, and reads that in its source by `source`; `display` draws tables in
notebooks. Nothing else of the library is imported here.
"""
