"""Interoperability tests with third-party engines; `make interop` installs them and runs these tests."""
