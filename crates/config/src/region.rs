//! The form of the names of AWS's regions.

use regex_lite::Regex;

/// The form: `eu-central-1`, `us-gov-west-1`, `eusc-de-east-1`.
pub(super) const PATTERN: &str = "^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$";

/// Returns whether a text has the form of a region's name. Whether the region exists is known to AWS alone.
pub fn is_region(text: &str) -> bool {
    // A test finds a pattern that does not compile. At run time it accepts everything, and AWS decides.
    Regex::new(PATTERN).map_or(true, |regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::is_region;

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
