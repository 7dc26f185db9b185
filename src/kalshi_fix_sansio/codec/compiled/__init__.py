"""Decoders made at run time, one for each sequence of tags that a peer sends.

What the dialect alone decides is made ahead of time, by codegen. Which optional fields a peer sends, in
which order, with how many entries in its groups and with which tags that the spec does not have yet, only its
bytes tell: 30 optional fields in any order are more sequences than can be written down. So the reader reads
the first messages of a sequence; then a decoder for exactly that sequence is written, compiled and kept.
`cache` says when and how many, `decoders` what is in one.
"""
