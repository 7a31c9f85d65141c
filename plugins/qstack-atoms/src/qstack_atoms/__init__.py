"""Trapped ions, single atoms and atomic ensembles as nodes of a qstack network."""
