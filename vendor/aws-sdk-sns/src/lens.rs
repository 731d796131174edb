// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub(crate) fn reflens_list_subscriptions_by_topic_output_output_next_token(
    input: &crate::operation::list_subscriptions_by_topic::ListSubscriptionsByTopicOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.next_token {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn reflens_list_topics_output_output_next_token(
    input: &crate::operation::list_topics::ListTopicsOutput,
) -> ::std::option::Option<&::std::string::String> {
    let input = match &input.next_token {
        ::std::option::Option::None => return ::std::option::Option::None,
        ::std::option::Option::Some(t) => t,
    };
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_list_subscriptions_by_topic_output_output_subscriptions(
    input: crate::operation::list_subscriptions_by_topic::ListSubscriptionsByTopicOutput,
) -> ::std::option::Option<::std::vec::Vec<crate::types::Subscription>> {
    let input = input.subscriptions?;
    ::std::option::Option::Some(input)
}

pub(crate) fn lens_list_topics_output_output_topics(
    input: crate::operation::list_topics::ListTopicsOutput,
) -> ::std::option::Option<::std::vec::Vec<crate::types::Topic>> {
    let input = input.topics?;
    ::std::option::Option::Some(input)
}
