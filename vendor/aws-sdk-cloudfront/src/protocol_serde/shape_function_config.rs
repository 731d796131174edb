// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

#[allow(clippy::needless_question_mark)]
pub fn de_function_config(
    decoder: &mut ::aws_smithy_xml::decode::ScopedDecoder,
    depth: u32,
) -> ::std::result::Result<crate::types::FunctionConfig, ::aws_smithy_xml::decode::XmlDecodeError> {
    if depth >= 128u32 {
        return Err(::aws_smithy_xml::decode::XmlDecodeError::custom("maximum nesting depth exceeded"));
    }
    #[allow(unused_mut)]
    let mut builder = crate::types::FunctionConfig::builder();
    while let Some(mut tag) = decoder.next_tag() {
        match tag.start_el() {
            s if s.matches("Comment") /* Comment com.amazonaws.cloudfront#FunctionConfig$Comment */ =>  {
                let var_2 =
                    Some(
                        Result::<::std::string::String, ::aws_smithy_xml::decode::XmlDecodeError>::Ok(
                            ::aws_smithy_xml::decode::try_data(&mut tag)?.as_ref()
                            .into()
                        )
                        ?
                    )
                ;
                builder = builder.set_comment(var_2);
            }
            ,
            s if s.matches("Runtime") /* Runtime com.amazonaws.cloudfront#FunctionConfig$Runtime */ =>  {
                let var_3 =
                    Some(
                        Result::<crate::types::FunctionRuntime, ::aws_smithy_xml::decode::XmlDecodeError>::Ok(
                            crate::types::FunctionRuntime::from(
                                ::aws_smithy_xml::decode::try_data(&mut tag)?.as_ref()
                            )
                        )
                        ?
                    )
                ;
                builder = builder.set_runtime(var_3);
            }
            ,
            s if s.matches("KeyValueStoreAssociations") /* KeyValueStoreAssociations com.amazonaws.cloudfront#FunctionConfig$KeyValueStoreAssociations */ =>  {
                let var_4 =
                    Some(
                        crate::protocol_serde::shape_key_value_store_associations::de_key_value_store_associations(&mut tag, depth + 1)
                        ?
                    )
                ;
                builder = builder.set_key_value_store_associations(var_4);
            }
            ,
            _ => {}
        }
    }
    Ok(crate::serde_util::function_config_correct_errors(builder)
        .build()
        .map_err(|_| ::aws_smithy_xml::decode::XmlDecodeError::custom("missing field"))?)
}
