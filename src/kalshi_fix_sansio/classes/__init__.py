"""Helpers for classes and modules, independent of FIX.

`value` is a base class with comparison, hash and repr; `display` renders tables for notebooks; `hide_locals`
keeps secrets out of tracebacks; `on_demand` defers imports; `written_code` compiles functions from source
written at run time. These modules import no other part of the library.
"""
