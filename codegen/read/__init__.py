"""Parsing of a folder of YAML into the model of a dialect, and of a QuickFIX dictionary into YAML.

`load` reads files, `schema` and `nodes` validate their structure, and `resolve` resolves the references
between them. This package imports no other package of codegen.
"""
