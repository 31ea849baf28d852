//! The wire format of Protocol Buffers, as far as small messages of ONNX need it.

/// One field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    /// A varint.
    Number(u64),
    /// Text, bytes or an inner message.
    Bytes(&'a [u8]),
}

/// The fields of a message by number; `None` in place of one that is cut short or of an unknown kind, after which
/// there are no more. Fields of fixed width are left out.
pub(super) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Option<(u64, Field<'_>)>> {
    std::iter::from_fn(move || {
        while !bytes.is_empty() {
            match field(&mut bytes) {
                Some((number, Some(value))) => return Some(Some((number, value))),
                Some((_, None)) => {}
                None => {
                    bytes = &[];
                    return Some(None);
                }
            }
        }
        None
    })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Option<Field<'a>>)> {
    let key = varint(bytes)?;
    let value = match key & 7 {
        0 => Some(Field::Number(varint(bytes)?)),
        1 => take(bytes, 8).map(|_| None)?,
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Some(Field::Bytes(take(bytes, length)?))
        }
        5 => take(bytes, 4).map(|_| None)?,
        _ => return None,
    };
    Some((key >> 3, value))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_and_fixed_widths_are_left_out() {
        let message = [8, 150, 1, 18, 2, b'h', b'i', 29, 0, 0, 0, 0, 24, 7];
        let found: Option<Vec<(u64, Field<'_>)>> = fields(&message).collect();
        let expected = vec![
            (1, Field::Number(150)),
            (2, Field::Bytes(b"hi")),
            (3, Field::Number(7)),
        ];
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn a_message_cut_inside_a_field_says_so_once() {
        assert_eq!(fields(&[18, 5, b'h']).collect::<Vec<_>>(), [None]);
    }
}
