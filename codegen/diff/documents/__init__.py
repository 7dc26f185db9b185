"""Reading: what a page, a changelog or a dictionary of the venue says, as `facts`. It compares nothing.

`markdown` takes a page apart into blocks and `inline` takes the markup out of a line. `pages` walks over the
blocks: it asks `headings` what stands around a table or a list, and hands it to `tables` (with `columns`) or
`lists`; `codelists`, `endpoints` and `examples` read what stands in a cell, a sentence or a block of code.
"""
