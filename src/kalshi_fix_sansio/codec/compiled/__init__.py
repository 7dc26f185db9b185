"""Decoders compiled at run time, one for each sequence of tags that a peer sends.

Code that depends on the dialect alone is generated ahead of time, by codegen. The optional fields that a peer
sends, their order, the number of group entries, and tags that the spec does not define yet are known only at
run time: 30 optional fields in any order make too many sequences to generate. The reader decodes the first
messages of a sequence; then a decoder for exactly that sequence is written, compiled and cached. `cache`
decides when to compile and how many decoders to keep; `decoders` writes the code.
"""
