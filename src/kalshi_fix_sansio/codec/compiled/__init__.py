"""Decoders compiled at run time, one for each sequence of tags (a shape) that a peer sends.

Code that depends only on the dialect is generated ahead of time, by codegen. Which optional fields a peer
sends, in which order, the number of group entries, and tags that the spec does not define yet are known only
at run time, and 30 optional fields in any order make too many shapes to generate. The reader decodes the
first messages of a shape; then a decoder for exactly this shape is written, compiled and cached. `cache`
decides when to compile and how many decoders to keep; `decoders` writes the code.
"""
