// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

#[allow(clippy::needless_question_mark)]
pub fn de_key_value_store_association(
    decoder: &mut ::aws_smithy_xml::decode::ScopedDecoder,
    depth: u32,
) -> ::std::result::Result<crate::types::KeyValueStoreAssociation, ::aws_smithy_xml::decode::XmlDecodeError> {
    if depth >= 128u32 {
        return Err(::aws_smithy_xml::decode::XmlDecodeError::custom("maximum nesting depth exceeded"));
    }
    #[allow(unused_mut)]
    let mut builder = crate::types::KeyValueStoreAssociation::builder();
    while let Some(mut tag) = decoder.next_tag() {
        match tag.start_el() {
            s if s.matches("KeyValueStoreARN") /* KeyValueStoreARN com.amazonaws.cloudfront#KeyValueStoreAssociation$KeyValueStoreARN */ =>  {
                let var_1 =
                    Some(
                        Result::<::std::string::String, ::aws_smithy_xml::decode::XmlDecodeError>::Ok(
                            ::aws_smithy_xml::decode::try_data(&mut tag)?.as_ref()
                            .into()
                        )
                        ?
                    )
                ;
                builder = builder.set_key_value_store_arn(var_1);
            }
            ,
            _ => {}
        }
    }
    Ok(crate::serde_util::key_value_store_association_correct_errors(builder)
        .build()
        .map_err(|_| ::aws_smithy_xml::decode::XmlDecodeError::custom("missing field"))?)
}
