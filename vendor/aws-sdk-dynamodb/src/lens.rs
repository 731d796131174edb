// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub(crate) fn reflens_list_tables_output_output_last_evaluated_table_name(
    input: &crate::operation::list_tables::ListTablesOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.last_evaluated_table_name {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn reflens_query_output_output_last_evaluated_key(
    input: &crate::operation::query::QueryOutput,
) -> ::std::option::Option<&::std::collections::HashMap<::std::string::String, crate::types::AttributeValue>> {
    let input = match &input.last_evaluated_key {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn reflens_scan_output_output_last_evaluated_key(
    input: &crate::operation::scan::ScanOutput,
) -> ::std::option::Option<&::std::collections::HashMap<::std::string::String, crate::types::AttributeValue>> {
    let input = match &input.last_evaluated_key {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_list_tables_output_output_table_names(
    input: crate::operation::list_tables::ListTablesOutput,
) -> ::std::option::Option<::std::vec::Vec<::std::string::String>> {
    let input = input.table_names?;
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_query_output_output_items(
    input: crate::operation::query::QueryOutput,
) -> ::std::option::Option<::std::vec::Vec<::std::collections::HashMap<::std::string::String, crate::types::AttributeValue>>> {
    let input = input.items?;
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_scan_output_output_items(
    input: crate::operation::scan::ScanOutput,
) -> ::std::option::Option<::std::vec::Vec<::std::collections::HashMap<::std::string::String, crate::types::AttributeValue>>> {
    let input = input.items?;
    ::std::option::Option::Some(input)
}
