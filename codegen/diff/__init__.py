"""`python -m codegen diff`: what the venue's own documents say and the spec does not; `fetch` gets them.

`sources` finds out what each file is, and has it read by `documents` into `facts`, each with its line.
`spec_index` gives the spec's own facts with the YAML they stand in. `comparisons` makes findings of the two,
with the texts of `findings.yaml`; `differences` drops those that `differences.yaml` keeps on purpose,
`passages` adds text that nobody has read yet, and `report` prints the rest.
"""
