"""Stands in for the base package of problem set 3: the same module, class and attribute names, written anew.

Students subclass the `Dummy…` classes; those hold the layers, the students write what the layers do.
"""
