// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub use crate::types::_durable_config::DurableConfigBuilder;

pub use crate::types::_function_code::FunctionCodeBuilder;

pub use crate::types::_vpc_config::VpcConfigBuilder;

pub use crate::types::_dead_letter_config::DeadLetterConfigBuilder;

pub use crate::types::_environment::EnvironmentBuilder;

pub use crate::types::_tracing_config::TracingConfigBuilder;

pub use crate::types::_image_config::ImageConfigBuilder;

pub use crate::types::_ephemeral_storage::EphemeralStorageBuilder;

pub use crate::types::_snap_start::SnapStartBuilder;

pub use crate::types::_logging_config::LoggingConfigBuilder;

pub use crate::types::_tenancy_config::TenancyConfigBuilder;

pub use crate::types::_capacity_provider_config::CapacityProviderConfigBuilder;

pub use crate::types::_vpc_config_response::VpcConfigResponseBuilder;

pub use crate::types::_environment_response::EnvironmentResponseBuilder;

pub use crate::types::_tracing_config_response::TracingConfigResponseBuilder;

pub use crate::types::_image_config_response::ImageConfigResponseBuilder;

pub use crate::types::_snap_start_response::SnapStartResponseBuilder;

pub use crate::types::_runtime_version_config::RuntimeVersionConfigBuilder;

pub use crate::types::_function_configuration::FunctionConfigurationBuilder;

pub use crate::types::_function_code_location::FunctionCodeLocationBuilder;

pub use crate::types::_tags_error::TagsErrorBuilder;

pub use crate::types::_concurrency::ConcurrencyBuilder;

pub use crate::types::_file_system_config::FileSystemConfigBuilder;

pub use crate::types::_lambda_managed_instances_capacity_provider_config::LambdaManagedInstancesCapacityProviderConfigBuilder;

pub use crate::types::_environment_error::EnvironmentErrorBuilder;

pub use crate::types::_layer::LayerBuilder;

pub use crate::types::_image_config_error::ImageConfigErrorBuilder;

pub use crate::types::_runtime_version_error::RuntimeVersionErrorBuilder;

pub use crate::types::_resolved_s3_object::ResolvedS3ObjectBuilder;

pub use crate::types::_function_code_location_error::FunctionCodeLocationErrorBuilder;

pub use crate::types::_s3_files_config::S3FilesConfigBuilder;
