//! Envelope addresses: parts, and folding of the ones that change with every message (VERP, SRS, BATV).
