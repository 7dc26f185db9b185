"""A fault simulation: a client and a venue in virtual time, and every fault that can occur between them.

See README.md in this folder for how to run it and how to read a failure.
"""
