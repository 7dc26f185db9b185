"""`python -m codegen diff` compares the venue's documents with the spec; `fetch` downloads the documents.

`sources` determines the type of each file and has `documents` parse it into `facts`, each with its line.
`spec_index` contains the facts of the spec with their YAML locations. `comparisons` turns the differences
into findings, whose texts are in `findings.yaml`. `differences` removes the findings that `differences.yaml`
lists as intended, `passages` adds text that has not been reviewed yet, and `report` prints the result.
"""
