"""`python -m codegen diff`: what the venue's own documents say and the spec does not.

`markdown` and `quickfix` take a document apart, `pages` and `quickfix` turn it into `facts`, each with its
line. `spec` gives the spec's own facts with the YAML they stand in. The `compare_*` modules make findings of
the two, `known` drops those that `differences.yaml` keeps on purpose, `passages` adds text that nobody has
read yet, and `report` prints the rest.
"""
