// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub(crate) fn reflens_describe_alarms_output_output_next_token(
    input: &crate::operation::describe_alarms::DescribeAlarmsOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.next_token {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn reflens_list_dashboards_output_output_next_token(
    input: &crate::operation::list_dashboards::ListDashboardsOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.next_token {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_list_dashboards_output_output_dashboard_entries(
    input: crate::operation::list_dashboards::ListDashboardsOutput,
) -> ::std::option::Option<::std::vec::Vec<crate::types::DashboardEntry>> {
    let input = input.dashboard_entries?;
    ::std::option::Option::Some(input)
}
