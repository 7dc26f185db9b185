"""`python -m codegen diff`: what the venue's own documents say and the spec does not; `fetch` gets them.

`markdown` and `quickfix` take a document apart; `pages` (with `examples`), `changelog` and `quickfix` turn it
into `facts`, each with its line. `spec_index` gives the spec's own facts with the YAML they stand in. The
`compare_*` modules make findings of the two, `known` drops those that `differences.yaml` keeps on purpose,
`passages` adds text that nobody has read yet, and `report` prints the rest.
"""
