"""Generation of Python source from the model of a dialect.

The templates only loop. This package prepares all their content as finished text: annotations, converters,
expressions, imports and docstrings. `render` produces all files, `check` compares them with the committed
ones, `api` compares the public API with the last release. It does not import the other packages of codegen.
"""
