// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

pub(crate) fn tag_correct_errors(mut builder: crate::types::builders::TagBuilder) -> crate::types::builders::TagBuilder {
    if builder.key.is_none() {
        builder.key = Some(Default::default())
    }
    if builder.value.is_none() {
        builder.value = Some(Default::default())
    }
    builder
}

pub(crate) fn dimension_correct_errors(mut builder: crate::types::builders::DimensionBuilder) -> crate::types::builders::DimensionBuilder {
    if builder.name.is_none() {
        builder.name = Some(Default::default())
    }
    if builder.value.is_none() {
        builder.value = Some(Default::default())
    }
    builder
}

pub(crate) fn metric_data_query_correct_errors(
    mut builder: crate::types::builders::MetricDataQueryBuilder,
) -> crate::types::builders::MetricDataQueryBuilder {
    if builder.id.is_none() {
        builder.id = Some(Default::default())
    }
    builder
}

pub(crate) fn metric_stat_correct_errors(mut builder: crate::types::builders::MetricStatBuilder) -> crate::types::builders::MetricStatBuilder {
    if builder.metric.is_none() {
        builder.metric = {
            let builder = crate::types::builders::MetricBuilder::default();
            Some(builder.build())
        }
    }
    if builder.period.is_none() {
        builder.period = Some(Default::default())
    }
    if builder.stat.is_none() {
        builder.stat = Some(Default::default())
    }
    builder
}
