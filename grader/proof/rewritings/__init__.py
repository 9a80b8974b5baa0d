"""Honest rewritings: other right code, made from right code, that must earn what its source earned.

operators/  one function per kind of rewriting: a place in, text edits out
patterns    rewritings that are a table: an expression, and other ways to say the same
forms       other forms of the same file: byte order marks, line ends, cells split and joined
making      all of it over the reference and the kept correct submissions
"""
