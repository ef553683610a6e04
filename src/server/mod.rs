//! One file per protocol over wire, answered from the engine's View.
