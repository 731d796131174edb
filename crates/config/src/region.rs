//! The form of the names of AWS's regions.

use regex_lite::Regex;

/// The form: `eu-central-1`, `us-gov-west-1`, `eusc-de-east-1`.
pub(super) const PATTERN: &str = "^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$";

/// Returns whether a text has the form of a region's name. Whether the region exists is known to AWS alone.
pub fn is_region(text: &str) -> bool {
    // A test finds a pattern that does not compile. At run time it accepts everything, and AWS decides.
    Regex::new(PATTERN).map_or(true, |regex| regex.is_match(text))
}

/// Regions of AWS that are partitions of their own, by how their names begin, and why no stack can be deployed there.
const REFUSED: [(&str, &str); 4] = [
    (
        "cn-",
        "CloudFront in China serves only domains with an ICP licence, and has neither the managed policies nor the prefix \
         list that a stack uses",
    ),
    ("us-gov-", "AWS GovCloud has no CloudFront, which serves the pages"),
    ("eusc-", "the AWS European Sovereign Cloud was opened without CloudFront, which serves the pages"),
    ("us-iso", "the isolated regions have no CloudFront, which serves the pages"),
];

/// Returns why no stack can be deployed in a region; `None` if it can.
pub fn region_refusal(region: &str) -> Option<&'static str> {
    // The isolated region for Europe is called `eu-isoe-west-1`.
    let region = if region.starts_with("eu-iso") { "us-iso" } else { region };
    REFUSED.iter().find(|(beginning, _)| region.starts_with(beginning)).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::{is_region, region_refusal};

    #[test]
    fn other_partitions_are_refused_by_name() {
        for (region, word) in [
            ("cn-north-1", "China"),
            ("us-gov-west-1", "GovCloud"),
            ("eusc-de-east-1", "Sovereign"),
            ("us-isob-east-1", "isolated"),
            ("eu-isoe-west-1", "isolated"),
        ] {
            assert!(region_refusal(region).is_some_and(|reason| reason.contains(word)), "{region}");
        }
        for region in ["eu-central-1", "us-east-1", "ca-central-1", "mx-central-1", "il-central-1"] {
            assert_eq!(region_refusal(region), None, "{region}");
        }
    }

    #[test]
    fn names_of_regions_are_recognised() {
        for region in ["eu-central-1", "us-east-1", "us-gov-west-1", "cn-north-1", "us-isob-east-1", "eusc-de-east-1"] {
            assert!(is_region(region), "{region}");
        }
        for other in ["", "Frankfurt", "eu-central", "eu-central-1a", " eu-central-1", "eu-central-1\n", "eu_central_1"]
        {
            assert!(!is_region(other), "{other:?}");
        }
    }
}
