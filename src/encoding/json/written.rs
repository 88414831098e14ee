//! What serde writes is read by its shape alone.

use crate::encoding::trace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[test]
#[cfg_attr(miri, ignore = "minutes, without unsafe code in them")]
fn what_serde_writes_is_read_without_its_type() {
    #[derive(Serialize, Deserialize)]
    struct Order {
        id: u64,
        small: (u8, i8, i16, i32, i64, u16),
        wide: (u128, i128),
        price: (f32, f64, f64),
        side: (Side, Side, Side),
        note: Option<String>,
        none: Option<u8>,
        by: BTreeMap<String, char>,
        pairs: BTreeMap<u8, bool>,
        unit: (),
        next: Option<Box<Order>>,
    }
    #[derive(Serialize, Deserialize)]
    enum Side {
        Buy,
        Limit(u32),
        Range { from: u8 },
    }
    let order = |next| Order {
        id: 1 << 60,
        small: (200, -100, -30_000, -2_000_000_000, i64::MIN, 60_000),
        wide: (u128::MAX, i128::MIN),
        price: (0.1, -2.5e300, f64::NAN),
        side: (Side::Buy, Side::Limit(7), Side::Range { from: 3 }),
        note: Some("\"\u{1b}\u{202e}\u{e9}".to_owned()),
        none: None,
        by: [("a".to_owned(), '\u{e9}'), ("b".to_owned(), '\u{20ac}')].into(),
        pairs: [(1, true)].into(),
        unit: (),
        next,
    };
    let expected = concat!(
        r#"{"id":1152921504606846976,"small":[200,-100,-30000,-2000000000,-9223372036854775808,60000],"#,
        r#""wide":[340282366920938463463374607431768211455,-170141183460469231731687303715884105728],"#,
        r#""price":[0.1,-2.5e300,"NaN"],"#,
        r#""side":["Buy",{"Limit":7},{"Range":{"from":3}}],"#,
        r#""note":"\"\u001b\u202eACUTE","none":null,"by":{"a":"ACUTE","b":"EURO"},"pairs":[[1,true]],"unit":null,"next":#}"#
    );
    let expected = expected.replace("EURO", "\u{20ac}").replace("ACUTE", "\u{e9}");
    let inner = expected.replace('#', "null");
    let expected = expected.replace('#', &inner);
    let message = order(Some(Box::new(order(None))));
    let shape = trace::shape::<Order>();
    assert_eq!(super::tests::reads("postcard", &shape, &postcard::to_stdvec(&message).unwrap()).unwrap(), expected);
    assert_eq!(super::tests::reads("bincode", &shape, &bincode::serialize(&message).unwrap()).unwrap(), expected);
    // Garbage: any byte another one, and any length.
    for (codec, bytes) in
        [("postcard", postcard::to_stdvec(&message).unwrap()), ("bincode", bincode::serialize(&message).unwrap())]
    {
        for at in (0..bytes.len()).step_by(if cfg!(miri) { 50 } else { 1 }) {
            assert!(super::tests::reads(codec, &shape, &bytes[..at]).is_err(), "{codec} of {at} bytes");
            for flip in [1, 0x80, 0xFF] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                if let Ok(read) = super::tests::reads(codec, &shape, &bytes) {
                    assert!(read.starts_with('{') && read.ends_with('}'), "{read}");
                }
            }
        }
    }
}
