//! Fingerprints of content: pyzor's SHA-1 and, later, digests that survive small changes.
