"""Generation of Python source from the model of a dialect.

For each element, the modules prepare a view, which contains finished text such as annotations, expressions,
imports and docstrings, so the templates need little logic. `render` produces all files, `check` compares
them with the committed files, and `api` compares the public API with the last release.
"""
