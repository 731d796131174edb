//! API Gateway's behaviours.

use aws_sdk_apigateway::types::PatchOperation;
use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use peersync_tests::proxy::behaviour::Behaviour;

use super::{role, until_ok, with};

#[tokio::test(flavor = "multi_thread")]
async fn api_changes_conflict_and_log_needs_account_role() {
    let (_proxy, clients) = with(Behaviour::ApiGatewayConcurrent).await;
    let gateway = &clients.api_gateway;
    let api = gateway.create_rest_api().name("a").send().await.unwrap().id.unwrap();
    let (_, codes) = until_ok(async || coded!(gateway.delete_rest_api().rest_api_id(&api).send())).await;
    assert_eq!(codes, ["ConflictException"]);

    let (_proxy, clients) = with(Behaviour::GatewayLogRole).await;
    let gateway = &clients.api_gateway;
    let api = gateway.create_rest_api().name("a").send().await.unwrap().id.unwrap();
    let deployment = gateway.create_deployment().rest_api_id(&api).send().await.unwrap().id.unwrap();
    let stage = gateway.create_stage().rest_api_id(&api).stage_name("s").deployment_id(&deployment);
    stage.send().await.unwrap();
    let patch =
        |path: &str, value: &str| PatchOperation::builder().op("replace".into()).path(path).value(value).build();
    let log = async || {
        let call = gateway.update_stage().rest_api_id(&api).stage_name("s");
        coded!(call.patch_operations(patch("/accessLogSettings/format", "x")).send())
    };
    assert_eq!(log().await.unwrap_err().0, "BadRequestException");
    let role = role(&clients, "r").await;
    let account = async || coded!(gateway.update_account().patch_operations(patch("/cloudwatchRoleArn", &role)).send());
    assert_eq!(until_ok(account).await.1, ["BadRequestException"]);
    assert_eq!(until_ok(log).await.1, ["BadRequestException"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn api_is_deployable_once_every_method_has_an_integration() {
    let (_proxy, clients) = with(Behaviour::EmptyDeployment).await;
    let gateway = &clients.api_gateway;
    let api = gateway.create_rest_api().name("a").send().await.unwrap();
    let (id, root) = (api.id().unwrap(), api.root_resource_id().unwrap());
    let refused = async || {
        let error = gateway.create_deployment().rest_api_id(id).send().await.unwrap_err();
        error.message().unwrap_or_default().to_owned()
    };
    assert_eq!(refused().await, "The REST API doesn't contain any methods");
    let method = gateway.put_method().rest_api_id(id).resource_id(root).http_method("GET");
    method.authorization_type("NONE").send().await.unwrap();
    assert_eq!(refused().await, "No integration defined for method");
    let mock = gateway.put_integration().rest_api_id(id).resource_id(root).http_method("GET");
    mock.r#type(aws_sdk_apigateway::types::IntegrationType::Mock).send().await.unwrap();
    gateway.create_deployment().rest_api_id(id).send().await.unwrap();
}
