//! The processors for which the server programs are built.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An architecture, by AWS's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Intel and AMD.
    #[default]
    X86_64,
    /// AWS's own processors, Graviton, which cost less for the same work.
    Arm64,
}

impl Architecture {
    /// All architectures.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// Returns the architecture of an EC2 instance type, by its name: those with a `g` after the number of the generation,
    /// and the family `a1`, have Graviton processors ("Amazon EC2 instance type naming conventions", in AWS's guide to
    /// instance types). Asking EC2 (`DescribeInstanceTypes`) would need credentials for a check of the file.
    pub fn of_instance_type(instance_type: &str) -> Self {
        let family = instance_type.split('.').next().unwrap_or_default();
        let generation = family.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let options = generation.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_graviton = family == "a1" || options.starts_with('g') && options != generation;
        if is_graviton { Self::Arm64 } else { Self::X86_64 }
    }

    /// Returns the architecture for which this program was built, if it is one of these.
    pub fn of_this_computer() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// Returns AWS's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Architecture;

    #[test]
    fn graviton_instance_types_are_arm64() {
        let of = Architecture::of_instance_type;
        for name in [
            "t4g.nano",
            "m7g.large",
            "c7gn.large",
            "c8gd.large",
            "a1.medium",
            "im4gn.large",
            "is4gen.large",
            "i8ge.large",
            "x2gd.large",
            "g5g.xlarge",
            "hpc7g.4xlarge",
        ] {
            assert_eq!(of(name), Architecture::Arm64, "{name}");
        }
        for name in [
            "t3.micro",
            "t3a.micro",
            "g4dn.xlarge",
            "g5.xlarge",
            "gr6.4xlarge",
            "m7i-flex.large",
            "c6in.large",
            "i3en.large",
            "u-6tb1.metal",
            "u7i-12tb.224xlarge",
        ] {
            assert_eq!(of(name), Architecture::X86_64, "{name}");
        }
    }
}
