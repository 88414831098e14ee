//! The shapes of types, ordinary and not.

use super::*;
use serde::{Deserialize, Deserializer};

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// A derived type, whose fields nobody reads.
macro_rules! types {
    ($( $item:item )+) => { $(
        #[allow(dead_code)]
        #[derive(Deserialize)]
        $item
    )+ };
}

types! {
    struct Numbers { a: u8, b: i16, c: u32, d: i64, e: u128, f: i128, g: f32, h: f64, i: bool, j: char, k: usize }
    struct Empty;
    struct Wrapped(u32);
    struct Pair(u8, String);
    struct Order { id: u64, side: Side, note: Option<String>, legs: Vec<Leg>, by: HashMap<String, Pair> }
    struct Leg { size: Wrapped, price: f64 }
    enum Side { Buy, Sell, Limit(u64), Range { from: u64, to: u64 }, Two(u8, i8) }
    struct Node { value: u32, next: Option<Box<Node>>, after: u8 }
    struct Tree { children: Vec<Tree>, weight: u8 }
    struct Nested { of: HashMap<u8, Nested>, last: bool }
    struct Chain(Option<Box<Chain>>);
    struct Kids(Vec<Kid>);
    struct Kid { kids: Kids, age: u8 }
    enum Expr { Add(Box<Expr>, Box<Expr>), Not(Box<Expr>), If { then: Box<Expr>, cost: u8 }, Lit(i32), Nil }
    struct Endless { again: Box<Endless>, never: u8 }
    enum NoEnd { Again(Box<NoEnd>) }
    struct Generic<T> { inner: T, after: u8 }
    struct There { back: Option<Box<Back>> }
    struct Back { there: Box<There>, mark: u8 }
    #[serde(rename_all = "camelCase")]
    struct Renamed { first_one: u8, #[serde(rename = "two words")] second: u8 }
    struct Skips { a: u8, #[serde(skip)] b: u16, #[serde(default)] c: u32 }
    struct Aliased { #[serde(alias = "old")] new: u8, other: u16 }
    enum AliasedEnum { #[serde(alias = "Old")] New, Other(u8) }
    struct Flat { a: u8, #[serde(flatten)] rest: BTreeMap<String, u8> }
    #[serde(tag = "kind")]
    enum Tagged { A { x: u8 }, B }
    #[serde(untagged)]
    enum Untagged { A(u8), B(String) }
    struct Before { a: u8, b: Untagged, c: u8 }
    #[serde(try_from = "u32")]
    struct Even(u32);
    struct Refuses { a: u8, even: Even, last: u8 }
    #[serde(try_from = "u32")]
    struct Huge(u32);
    struct Stuck { a: u8, list: Vec<Huge>, one: Option<Huge>, huge: Huge, last: u8 }
    #[serde(try_from = "Vec<u8>")]
    struct NotEmpty(Vec<u8>);
    struct Some1 { bytes: NotEmpty, last: u8 }
    enum Choosy { Never(Huge), Always }
    struct Chosen1 { choice: Choosy, last: u8 }
}

impl TryFrom<u32> for Even {
    type Error = &'static str;
    fn try_from(value: u32) -> Result<Even, &'static str> {
        if value == 1 { Ok(Even(value)) } else { Err("not one") }
    }
}

impl TryFrom<u32> for Huge {
    type Error = &'static str;
    fn try_from(_: u32) -> Result<Huge, &'static str> {
        Err("not that one")
    }
}

impl TryFrom<Vec<u8>> for NotEmpty {
    type Error = &'static str;
    fn try_from(value: Vec<u8>) -> Result<NotEmpty, &'static str> {
        if value.is_empty() { Err("empty") } else { Ok(NotEmpty(value)) }
    }
}

#[track_caller]
fn is<M: DeserializeOwned>(expected: &str) {
    assert_eq!(shape::<M>(), expected, "{}", std::any::type_name::<M>());
}

#[test]
fn ordinary_types_have_their_shape() {
    is::<Numbers>("{a: u8, b: i16, c: u32, d: i64, e: u128, f: i128, g: f32, h: f64, i: bool, j: char, k: u64}");
    is::<Empty>("()");
    is::<Wrapped>("u32");
    is::<Pair>("(u8, str)");
    is::<Side>("enum<Buy, Sell, Limit u64, Range {from: u64, to: u64}, Two (u8, i8)>");
    is::<Order>(
        "{id: u64, side: enum<Buy, Sell, Limit u64, Range {from: u64, to: u64}, Two (u8, i8)>, note: option<str>, \
         legs: list<{size: u32, price: f64}>, by: map<str, (u8, str)>}",
    );
    is::<[u16; 5]>("[u16; 5]");
    is::<(u8, u8, u8)>("[u8; 3]");
    is::<HashSet<NonZeroU32>>("list<u32>");
    is::<Result<u8, String>>("enum<Ok u8, Err str>");
    is::<Generic<Generic<Generic<u8>>>>("{inner: {inner: {inner: u8, after: u8}, after: u8}, after: u8}");
}

#[test]
fn types_of_the_standard_library_have_their_shape() {
    is::<Duration>("{secs: u64, nanos: u32}");
    is::<SystemTime>("{secs_since_epoch: u64, nanos_since_epoch: u32}");
    is::<PathBuf>("str");
    // As postcard and bincode have them: for machines.
    is::<Ipv4Addr>("[u8; 4]");
    is::<IpAddr>("enum<V4 [u8; 4], V6 [u8; 16]>");
    is::<std::net::SocketAddrV4>("([u8; 4], u16)");
    is::<NonZeroU32>("u32");
    is::<std::ops::Range<u8>>("{start: u8, end: u8}");
    is::<std::ffi::CString>("bytes");
}

#[test]
fn a_type_in_itself_is_written_once() {
    is::<Node>("{value: u32, next: option<^2>, after: u8}");
    is::<Tree>("{children: list<^2>, weight: u8}");
    is::<Nested>("{of: map<u8, ^2>, last: bool}");
    is::<Chain>("option<option<^1>>");
    is::<Kids>("list<{kids: list<^2>, age: u8}>");
    is::<Expr>("enum<Add [^2; 2], Not ^1, If {then: ^2, cost: u8}, Lit i32, Nil>");
    is::<There>("{back: option<{there: ^3, mark: u8}>}");
    // Without end there is no value, and so nothing behind it.
    is::<Endless>("{again: ^1, ?}");
    is::<NoEnd>("enum<Again ^1>");
}

#[test]
fn attributes_of_serde_are_as_the_encodings_see_them() {
    is::<Renamed>("{firstOne: u8, \"two words\": u8}");
    is::<Skips>("{a: u8, c: u32}");
    // Nobody says which name is whose.
    is::<Aliased>("{_: u8, _: u16}");
    is::<AliasedEnum>("enum<_, _ u8>");
    // No encoding here reads these.
    is::<Tagged>("?");
    is::<Untagged>("?");
    is::<Before>("{a: u8, b: ?, ?}");
    is::<Flat>("map<?, ?>");
}

/// What refuses a value gets another one; what refuses all ends what is known.
#[test]
fn what_is_refused_is_tried_again() {
    is::<Refuses>("{a: u8, even: u32, last: u8}");
    is::<Stuck>("{a: u8, list: list<u32>, one: option<u32>, huge: u32, ?}");
    is::<Some1>("{bytes: list<u8>, last: u8}");
    is::<Chosen1>("{choice: enum<Never u32, Always>, last: u8}");
}

struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Panics, D::Error> {
        panic!("of a user's code")
    }
}

/// Asks for something else each time.
struct Fickle;

impl<'de> Deserialize<'de> for Fickle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fickle, D::Error> {
        thread_local!(static COUNT: std::cell::Cell<u8> = const { std::cell::Cell::new(0) });
        COUNT.set(COUNT.get() ^ 1);
        if COUNT.get() == 0 {
            u8::deserialize(deserializer)?;
        } else {
            u16::deserialize(deserializer)?;
        }
        Ok(Fickle)
    }
}

/// As deep as it gets, and wider at each step: without a name that anybody would know again.
struct Deep;

impl<'de> Deserialize<'de> for Deep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Deep, D::Error> {
        <(Option<Box<Deep>>, Option<Box<Deep>>)>::deserialize(deserializer).map(|_| Deep)
    }
}

#[test]
#[cfg_attr(miri, ignore = "millions of steps, without unsafe code in them")]
fn whatever_a_type_does_it_ends() {
    is::<Panics>("?");
    is::<Generic<Panics>>("?");
    is::<Fickle>("?");
    let shape = shape::<Deep>();
    assert!(shape.len() < 1 << 20 && shape.contains('?'), "{}", shape.len());
    let large = self::shape::<[[[u8; 32]; 32]; 32]>();
    assert!(large.ends_with('?') || large.contains("?)"), "{}", &large[..100]);
}
