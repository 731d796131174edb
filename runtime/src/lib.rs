//! PeerSync server programs.
