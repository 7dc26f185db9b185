"""Parsing of the venue's pages, changelog and dictionaries into `facts`, without comparing them.

`markdown` splits a page into blocks and `inline` removes the markup of a line. `pages` walks over the blocks.
It interprets titles with `headings`, and passes tables to `tables` (with `columns`) and lists to `lists`.
`codelists`, `endpoints` and `examples` parse cells, sentences and code blocks.
"""
