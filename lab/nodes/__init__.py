"""Nodes of every protocol that one can make lie, by the hundred on one event loop.

A kind is one module of this package, and its node is that module's NODE; names are those of nodes/.
"""
