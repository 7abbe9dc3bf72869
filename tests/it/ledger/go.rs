//! Go's `golang.org/x/mod/sumdb/tlog` and `note` say what the right roots, proofs, tiles and signatures are.
