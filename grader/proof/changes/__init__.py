"""Small changes of a submission: made, selected, run and held against the suite's explanations.

A mutant is a change that makes right code wrong, a rewriting one that makes it other right code. Both run here.

source      a file: its syntax tree, exact positions, solution regions
calls       how operators read calls
kinds       what a kind of change must do, and where exceptions to it are explained
bases       what is changed: the reference, and kept submissions that are correct
making      operators over a file → changes with ids that outlive another line number
selection   the cap per assignment, and which changes are left out
explained   `equivalent_mutants.yaml`, `refused_rewritings.yaml`: changes that fare otherwise, each with its reason
running     changes as submissions, graded until something is not passed
report      what became of them, and what is a problem
proving     all of it for one assignment
"""
