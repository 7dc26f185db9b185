"""What is written by hand and read with its lines.

It imports nothing else of this project: codegen uses it, too, and must run while generated code is broken.
"""
