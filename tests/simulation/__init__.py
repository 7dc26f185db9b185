"""A fault simulation: a client and a venue in virtual time, and everything between them that can go wrong.

See README.md in this folder for how to run it and how to read a failure.
"""
