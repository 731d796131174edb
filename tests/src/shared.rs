//! What the stacks of an account share, as the tests read and change it: the role for the logs of API Gateway, and
//! response-headers policies.

use aws_sdk_apigateway::types::{Op, PatchOperation};
use aws_sdk_cloudfront::types::ResponseHeadersPolicyType;
use aws_sdk_iam::types::Tag;

use crate::clients::{Clients, REGION};
use crate::stage::Stage;

/// The name of the role that all stacks of the region share.
pub fn shared_role() -> String {
    format!("peersync-{REGION}-gateway")
}

/// Returns a trust policy that lets one service assume a role.
pub fn trust(service: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}

/// Returns the name of the account's role for the logs of API Gateway.
pub async fn account_role(clients: &Clients) -> Option<String> {
    let account = clients.api_gateway.get_account().send().await.expect("the account can be read");
    let arn = account.cloudwatch_role_arn.filter(|arn| !arn.is_empty())?;
    Some(arn.rsplit('/').next().unwrap_or(&arn).to_owned())
}

/// Sets the account's role by its ARN; an empty one removes it.
pub async fn set_account_role(clients: &Clients, arn: &str) {
    let patch = PatchOperation::builder().op(Op::Replace).path("/cloudwatchRoleArn").value(arn).build();
    clients.api_gateway.update_account().patch_operations(patch).send().await.expect("the account can be changed");
}

/// Returns the ARN of a role of the account.
pub fn role_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

/// Deletes the role that the stacks share.
pub async fn delete_shared_role(clients: &Clients) {
    let (iam, name) = (&clients.iam, shared_role());
    iam.delete_role_policy().role_name(&name).policy_name("peersync").send().await.expect("it has a policy");
    iam.delete_role().role_name(&name).send().await.expect("it exists");
}

/// Turns the role of the account into what earlier versions made: one of the stack's own, in place of the shared one.
pub async fn role_of_earlier_version(stage: &Stage, stack: &str, tagged_stage: &str) {
    let name = format!("{stack}-{REGION}-gateway");
    let tags = [
        ("peersync:managed-by", "peersync-deploy"),
        ("peersync:stack", stack),
        ("peersync:stage", tagged_stage),
        ("peersync:region", REGION),
        ("peersync:account", &stage.account),
    ];
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build().expect("a whole tag"));
    let iam = &stage.clients.iam;
    let call = iam.create_role().role_name(&name).assume_role_policy_document(trust("apigateway.amazonaws.com"));
    let call = call.description(format!("PeerSync stack {stack}")).set_tags(Some(tags.into()));
    call.send().await.expect("a role can be created");
    let policy = iam.get_role_policy().role_name(shared_role()).policy_name("peersync").send().await;
    let policy = crate::proxy::operation::decoded(policy.expect("it has a policy").policy_document());
    let put = iam.put_role_policy().role_name(&name).policy_name("peersync").policy_document(policy);
    put.send().await.expect("a policy can be put");
    set_account_role(&stage.clients, &role_arn(&stage.account, &name)).await;
    delete_shared_role(&stage.clients).await;
}

/// Returns the names of the account's response-headers policies, sorted.
pub async fn headers_policies(clients: &Clients) -> Vec<String> {
    let call = clients.cloudfront.list_response_headers_policies().r#type(ResponseHeadersPolicyType::Custom);
    let list = call.send().await.expect("they can be listed").response_headers_policy_list;
    let policies = list.iter().flat_map(|list| list.items()).filter_map(|item| item.response_headers_policy());
    let mut names: Vec<String> =
        policies.filter_map(|one| Some(one.response_headers_policy_config()?.name().to_owned())).collect();
    names.sort();
    names
}

/// Deletes every response-headers policy.
pub async fn delete_headers_policies(clients: &Clients) {
    let call = clients.cloudfront.list_response_headers_policies().r#type(ResponseHeadersPolicyType::Custom);
    let list = call.send().await.expect("they can be listed").response_headers_policy_list;
    for one in list.iter().flat_map(|list| list.items()).filter_map(|item| item.response_headers_policy()) {
        let current = clients.cloudfront.get_response_headers_policy().id(one.id()).send().await.expect("it exists");
        let call = clients.cloudfront.delete_response_headers_policy().id(one.id()).set_if_match(current.e_tag);
        call.send().await.expect("nothing uses it");
    }
}
