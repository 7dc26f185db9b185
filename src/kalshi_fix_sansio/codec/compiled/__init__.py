"""Decoders compiled at run time, one for each sequence of tags (a shape) that a peer sends.

Code that depends only on the dialect is generated ahead of time, by codegen. The shapes are known only at run
time. They depend on the optional fields that the peer sends, their order, the number of group entries, and
tags that the spec does not define yet. There are too many possible shapes to generate. The reader
(`codec.reader`) decodes the first messages of a shape. Then a decoder for exactly this shape is written,
compiled and cached. `cache` decides when to compile and how many decoders to keep; `decoders` writes the
code.
"""
