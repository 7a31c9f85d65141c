"""States and channels: pure functions, no protocol.

=============  =====================================================================================
subject        modules
=============  =====================================================================================
states         `states` (Bell lists, correlators), `exact` (4 x 4 matrix), `density` (few qubits),
               `stabiliser` (many qubits, sampled)
operations     `swapping`, `purification`, `memory`, `multiparty`
links          `heralding`, `sources`, `timing`, `photons`, `decoy`, `freespace`
waiting        `waiting`, `cutoff`
worth          `bounds`
=============  =====================================================================================
"""
