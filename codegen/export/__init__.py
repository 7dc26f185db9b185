"""What others read: QuickFIX dictionaries, FIX Orchestra, and the reference pages of the docs.

It imports `read` at most, beside the model.
"""
