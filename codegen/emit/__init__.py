"""Generation of Python source from the model of a dialect.

The templates only loop. The modules prepare a view of each element: its data for the templates as finished
text, such as annotations, converters, expressions, imports and docstrings. `render` produces all files,
`check` compares them with the committed files, and `api` compares the public API with the last release.
"""
