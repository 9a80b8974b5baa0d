"""Mutants of a reference: small wrong versions that a suite must tell from the right one.

source      a reference file: its syntax tree, exact positions, solution regions
operators/  one function per kind of mistake: a place in, text edits out
making      operators over the regions → mutants with ids that outlive a change of line numbers
selection   the cap per assignment, and which mutants are left out
equivalents `equivalent_mutants.yaml`: why a mutant is a correct answer
running     mutants as submissions, graded until something is not passed
report      what was killed, what survived, and what is a problem
"""
