"""Helpers for classes and modules, independent of FIX.

- `value`: a base class with comparison, hash and repr
- `display`: tables for notebooks
- `lazy_dict`: a dict that computes each value on first use
- `hide_locals`: keeps secrets out of tracebacks
- `on_demand`: imports that are deferred until first use
- `runtime_code`: compiles functions whose source is generated at run time

These modules import no other part of the library.
"""
