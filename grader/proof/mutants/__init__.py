"""Mutants of a reference: small wrong versions that a suite must tell from the right one.

operators/  one function per kind of mistake: a place in, text edits out
making      operators over the solution regions of a reference
"""
