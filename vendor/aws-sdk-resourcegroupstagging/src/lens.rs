// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub(crate) fn reflens_get_resources_output_output_pagination_token(
    input: &crate::operation::get_resources::GetResourcesOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.pagination_token {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_get_resources_output_output_resource_tag_mapping_list(
    input: crate::operation::get_resources::GetResourcesOutput,
) -> ::std::option::Option<::std::vec::Vec<crate::types::ResourceTagMapping>> {
    let input = input.resource_tag_mapping_list?;
    ::std::option::Option::Some(input)
}
