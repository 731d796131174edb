//! PeerSync deployer.
