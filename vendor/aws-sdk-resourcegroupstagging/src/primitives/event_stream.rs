// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.
