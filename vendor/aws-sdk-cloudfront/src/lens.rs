// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub(crate) fn reflens_list_distributions_output_output_distribution_list_next_marker(
    input: &crate::operation::list_distributions::ListDistributionsOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.distribution_list {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    let input = match &input.next_marker {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn reflens_list_origin_access_controls_output_output_origin_access_control_list_next_marker(
    input: &crate::operation::list_origin_access_controls::ListOriginAccessControlsOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.origin_access_control_list {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    let input = match &input.next_marker {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_list_distributions_output_output_distribution_list_items(
    input: crate::operation::list_distributions::ListDistributionsOutput,
) -> ::std::option::Option<::std::vec::Vec<crate::types::DistributionSummary>> {
    let input = input.distribution_list?;
    let input = input.items?;
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_list_origin_access_controls_output_output_origin_access_control_list_items(
    input: crate::operation::list_origin_access_controls::ListOriginAccessControlsOutput,
) -> ::std::option::Option<::std::vec::Vec<crate::types::OriginAccessControlSummary>> {
    let input = input.origin_access_control_list?;
    let input = input.items?;
    ::std::option::Option::Some(input)
}
