// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub(crate) fn reflens_get_deployments_output_output_position(
    input: &crate::operation::get_deployments::GetDeploymentsOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.position {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn reflens_get_resources_output_output_position(
    input: &crate::operation::get_resources::GetResourcesOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.position {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn reflens_get_rest_apis_output_output_position(
    input: &crate::operation::get_rest_apis::GetRestApisOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.position {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_get_deployments_output_output_items(
    input: crate::operation::get_deployments::GetDeploymentsOutput,
) -> ::std::option::Option<::std::vec::Vec<crate::types::Deployment>> {
    let input = input.items?;
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_get_resources_output_output_items(
    input: crate::operation::get_resources::GetResourcesOutput,
) -> ::std::option::Option<::std::vec::Vec<crate::types::Resource>> {
    let input = input.items?;
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_get_rest_apis_output_output_items(
    input: crate::operation::get_rest_apis::GetRestApisOutput,
) -> ::std::option::Option<::std::vec::Vec<crate::types::RestApi>> {
    let input = input.items?;
    ::std::option::Option::Some(input)
}
