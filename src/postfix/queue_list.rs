//! The output of postqueue -j, one JSON object a line, read leniently.
