"""Our engine against engines nobody here wrote; `make interop` sets them up and runs these tests."""
