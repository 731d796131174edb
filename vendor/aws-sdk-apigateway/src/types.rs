// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::_cache_cluster_size::CacheClusterSize;

pub use crate::types::_deployment_canary_settings::DeploymentCanarySettings;

pub use crate::types::_endpoint_configuration::EndpointConfiguration;

pub use crate::types::_security_policy::SecurityPolicy;

pub use crate::types::_endpoint_access_mode::EndpointAccessMode;

pub use crate::types::_api_key_source_type::ApiKeySourceType;

pub use crate::types::_api_status::ApiStatus;

pub use crate::types::_canary_settings::CanarySettings;

pub use crate::types::_cache_cluster_status::CacheClusterStatus;

pub use crate::types::_access_log_settings::AccessLogSettings;

pub use crate::types::_throttle_settings::ThrottleSettings;

pub use crate::types::_integration_type::IntegrationType;

pub use crate::types::_connection_type::ConnectionType;

pub use crate::types::_content_handling_strategy::ContentHandlingStrategy;

pub use crate::types::_tls_config::TlsConfig;

pub use crate::types::_response_transfer_mode::ResponseTransferMode;

pub use crate::types::_integration::Integration;

pub use crate::types::_put_mode::PutMode;

pub use crate::types::_ip_address_type::IpAddressType;

pub use crate::types::_method::Method;

pub use crate::types::_method_setting::MethodSetting;

pub use crate::types::_deployment::Deployment;

pub use crate::types::_integration_response::IntegrationResponse;

pub use crate::types::_method_response::MethodResponse;

pub use crate::types::_resource::Resource;

pub use crate::types::_rest_api::RestApi;

pub use crate::types::_stage::Stage;

pub use crate::types::_patch_operation::PatchOperation;

pub use crate::types::_method_snapshot::MethodSnapshot;

pub use crate::types::_endpoint_type::EndpointType;

pub use crate::types::_unauthorized_cache_control_header_strategy::UnauthorizedCacheControlHeaderStrategy;

pub use crate::types::_op::Op;

mod _access_log_settings;

mod _api_key_source_type;

mod _api_status;

mod _cache_cluster_size;

mod _cache_cluster_status;

mod _canary_settings;

mod _connection_type;

mod _content_handling_strategy;

mod _deployment;

mod _deployment_canary_settings;

mod _endpoint_access_mode;

mod _endpoint_configuration;

mod _endpoint_type;

mod _integration;

mod _integration_response;

mod _integration_type;

mod _ip_address_type;

mod _method;

mod _method_response;

mod _method_setting;

mod _method_snapshot;

mod _op;

mod _patch_operation;

mod _put_mode;

mod _resource;

mod _response_transfer_mode;

mod _rest_api;

mod _security_policy;

mod _stage;

mod _throttle_settings;

mod _tls_config;

mod _unauthorized_cache_control_header_strategy;

/// Builders
pub mod builders;

/// Error types that Amazon API Gateway can respond with.
pub mod error;
