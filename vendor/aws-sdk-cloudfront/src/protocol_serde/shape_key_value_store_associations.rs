// Trimmed by `cargo xtask trim-sdk`: operations that are not used and most of the documentation are left out.

#[allow(clippy::needless_question_mark)]
pub fn de_key_value_store_associations(
    decoder: &mut ::aws_smithy_xml::decode::ScopedDecoder,
    depth: u32,
) -> ::std::result::Result<crate::types::KeyValueStoreAssociations, ::aws_smithy_xml::decode::XmlDecodeError> {
    if depth >= 128u32 {
        return Err(::aws_smithy_xml::decode::XmlDecodeError::custom("maximum nesting depth exceeded"));
    }
    #[allow(unused_mut)]
    let mut builder = crate::types::KeyValueStoreAssociations::builder();
    while let Some(mut tag) = decoder.next_tag() {
        match tag.start_el() {
            s if s.matches("Quantity") /* Quantity com.amazonaws.cloudfront#KeyValueStoreAssociations$Quantity */ =>  {
                let var_3 =
                    Some(
                         {
                            <i32 as ::aws_smithy_types::primitive::Parse>::parse_smithy_primitive(
                                ::aws_smithy_xml::decode::try_data(&mut tag)?.as_ref()
                            )
                            .map_err(|_|::aws_smithy_xml::decode::XmlDecodeError::custom("expected (integer: `com.amazonaws.cloudfront#integer`)"))
                        }
                        ?
                    )
                ;
                builder = builder.set_quantity(var_3);
            }
            ,
            s if s.matches("Items") /* Items com.amazonaws.cloudfront#KeyValueStoreAssociations$Items */ =>  {
                let var_4 =
                    Some(
                        crate::protocol_serde::shape_key_value_store_association_list::de_key_value_store_association_list(&mut tag, depth + 1)
                        ?
                    )
                ;
                builder = builder.set_items(var_4);
            }
            ,
            _ => {}
        }
    }
    Ok(crate::serde_util::key_value_store_associations_correct_errors(builder)
        .build()
        .map_err(|_| ::aws_smithy_xml::decode::XmlDecodeError::custom("missing field"))?)
}
