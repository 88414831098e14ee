//! Plain memory that `zerocopy` checks: senders write it in place, and readers read it in place, without a copy.
//!
//! The bytes are the sender's memory as it is: only the same program, on the same machine, can read them. A byte
//! pattern that is no value of the type is a [`DecodeError`], never undefined behaviour, and nobody writes `unsafe`.

use super::shape::{Field, Fields, Shape};
use crate::traits::{DecodeError, EncodeError, Handler, Message, Payload, Report, Space, Writer};
use std::marker::PhantomData;
use zerocopy::{FromZeros, Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// A message that is plain memory. [`zero_copy_message!`](crate::zero_copy_message) implements it.
///
/// ```
/// use rust_messenger::{Handler, SendInPlace, Writer, ZeroCopyMessage};
/// use zerocopy::FromZeros;
///
/// /// Sends any such message as it is: all zeros.
/// fn send_zeros<H: Handler, M: ZeroCopyMessage + FromZeros, W: Writer>(writer: &W) {
///     H::send_in_place::<M, W>(writer, |_| {});
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no zero-copy message",
    note = "add `rust_messenger::zero_copy_message!({Self}, id)`, and the derives that it asks for"
)]
pub trait ZeroCopyMessage: Message + PlainMemory {}

/// A type whose bytes anybody may write and read as they are: the traits that `zerocopy` derives.
///
/// ```
/// #[derive(zerocopy::TryFromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable)]
/// #[repr(C)]
/// struct Tick {
///     price: u64,
/// }
///
/// fn is_plain<T: rust_messenger::PlainMemory>() {}
/// is_plain::<Tick>();
/// ```
///
/// A trait of its own, because the compiler takes a trait with these bounds for a sealed one, and tells that to users
/// who forgot a derive.
pub trait PlainMemory: TryFromBytes + IntoBytes + KnownLayout + Immutable + 'static {}

impl<T: TryFromBytes + IntoBytes + KnownLayout + Immutable + 'static> PlainMemory for T {}

/// A type that `zero_copy_message!` was called with.
///
/// The macro implements this instead of [`ZeroCopyMessage`], of whose supertraits the compiler would ask each for
/// itself: four errors for one forgotten line. The one that says what to do is that of [`Coded`].
pub trait Declared: Message {}

#[diagnostic::do_not_recommend]
impl<M: Declared + PlainMemory> ZeroCopyMessage for M {}

/// What this encoding can write and read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no plain memory",
    label = "lacks what zerocopy derives",
    note = "add `#[derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable)]` and `#[repr(C)]` to `{Self}`, and to the types of its fields",
    note = "a `String` or `Vec` is no plain memory: write an array and a length, or make `{Self}` a `serde_message!`"
)]
pub trait Coded: 'static {
    /// The message's own memory.
    fn bytes(&self) -> &[u8];

    /// [`decode`].
    ///
    /// # Errors
    ///
    /// The same.
    fn decode(bytes: &[u8]) -> Result<&Self, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<M: PlainMemory> Coded for M {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    #[inline]
    fn decode(bytes: &[u8]) -> Result<&M, DecodeError> {
        decode(bytes)
    }
}

/// Payloads are aligned to 8 bytes, and so a message may be at most.
#[diagnostic::on_unimplemented(
    message = "`{Self}` needs a larger alignment than the 8 bytes that a bus has",
    label = "aligned to more than 8 bytes",
    note = "remove `align(..)` from `{Self}` and its fields, or send it as two halves: `u128` is `[u64; 2]`"
)]
pub trait IsAlignedToEight<const YES: bool> {
    /// Named by `zero_copy_message!` to ask the question.
    const OK: () = ();
}

impl<T> IsAlignedToEight<true> for T {}

/// Whether a `T` may lie wherever a bus puts it.
pub const fn is_aligned_to_eight<T>() -> bool {
    align_of::<T>() <= 8
}

/// A type of plain memory whose fields are known.
pub trait PlainShape {
    /// Its shape.
    fn shape() -> String;
}

macro_rules! words {
    ($( $word:ident )+) => { $(
        impl PlainShape for $word {
            fn shape() -> String {
                stringify!($word).to_owned()
            }
        }
    )+ };
}

words! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 bool char }

impl PlainShape for usize {
    fn shape() -> String {
        format!("u{}", usize::BITS)
    }
}

impl PlainShape for isize {
    fn shape() -> String {
        format!("i{}", isize::BITS)
    }
}

impl<T: PlainShape, const N: usize> PlainShape for [T; N] {
    fn shape() -> String {
        format!("[{}; {N}]", T::shape())
    }
}

/// Asks for the shape of any type: [`Listed`] answers for those that have one, and [`Unlisted`] for the others, because
/// the compiler looks at a value before it looks at a reference to it.
#[derive(Debug)]
pub struct ShapeOf<T>(PhantomData<T>);

impl<T> ShapeOf<T> {
    /// The question.
    pub const ASK: Self = ShapeOf(PhantomData);
}

/// Of a type that has a shape.
pub trait Listed {
    /// The shape.
    fn shape(&self) -> String;
}

impl<T: PlainShape> Listed for ShapeOf<T> {
    fn shape(&self) -> String {
        T::shape()
    }
}

/// Of a type of which only the size is known.
pub trait Unlisted {
    /// So many bytes.
    fn shape(&self) -> String;
}

impl<T> Unlisted for &ShapeOf<T> {
    fn shape(&self) -> String {
        format!("[?; {}]", size_of::<T>())
    }
}

/// The shape of a struct with these fields: their names, where they begin, and their shapes.
pub fn fields_shape(fields: &[(&str, usize, String)]) -> String {
    let list = fields.iter().map(|(name, offset, shape)| Field {
        name: Some(name.trim_start_matches("r#").to_owned()),
        offset: Some(*offset as u64),
        shape: Shape::Word(shape.clone()),
    });
    Shape::Fields(Fields { list: list.collect(), named: true, open: false }).to_string()
}

/// Makes a type of plain memory a message: `zero_copy_message!(Type, id)`, or `zero_copy_message!(Type)` when
/// [`Message`] is implemented already.
///
/// ```
/// use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
///
/// #[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
/// #[repr(C)]
/// struct Tick { price: u64 }
/// rust_messenger::zero_copy_message!(Tick, 7);
/// ```
///
/// Given the struct's definition, it makes the struct, and lists its fields in
/// [`Layout::shape`](crate::traits::Layout::shape). Then a journal refuses a struct whose fields have changed, not only
/// one of another size, and `rmsg` prints them. Of a field it knows numbers, `bool`, `char`, structs that are defined
/// so, and arrays of those; of any other the size.
///
/// ```
/// # use rust_messenger::traits::Message;
/// # use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
/// rust_messenger::zero_copy_message! {
///     #[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
///     #[repr(C)]
///     pub struct Tick {
///         pub price: u64,
///         pub sizes: [u32; 2],
///     },
///     7
/// }
/// let shape = <Tick as Message>::LAYOUT.shape.expect("fields");
/// assert_eq!(shape(), "{price@0: u64, sizes@8: [u32; 2]}");
/// ```
#[macro_export]
macro_rules! zero_copy_message {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $message:ident {
            $( $(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $field_type:ty ),+ $(,)?
        },
        $id:expr $(,)?
    ) => {
        $(#[$attribute])*
        $visibility struct $message {
            $( $(#[$field_attribute])* $field_visibility $field: $field_type, )+
        }

        impl $crate::__private::encoding::zero_copy::PlainShape for $message {
            fn shape() -> $crate::__private::String {
                #[allow(unused_imports)]
                use $crate::__private::encoding::zero_copy::{Listed as _, Unlisted as _};
                $crate::__private::encoding::zero_copy::fields_shape(&[
                    $( (
                        $crate::__private::stringify!($field),
                        ::core::mem::offset_of!($message, $field),
                        (&$crate::__private::encoding::zero_copy::ShapeOf::<$field_type>::ASK).shape(),
                    ) ),+
                ])
            }
        }

        $crate::__message_id!(
            $message,
            $id,
            $crate::traits::Layout::plain::<$message>().with_shape(
                <$message as $crate::__private::encoding::zero_copy::PlainShape>::shape
            )
        );
        $crate::zero_copy_message!($message);
    };
    ($message:ty, $id:expr $(,)?) => {
        $crate::__message_id!($message, $id, $crate::traits::Layout::plain::<$message>());
        $crate::zero_copy_message!($message);
    };
    ($message:ty) => {
        impl $crate::__private::encoding::zero_copy::Declared for $message {}

        const _: () = <$message as $crate::__private::encoding::zero_copy::IsAlignedToEight<
            { $crate::__private::encoding::zero_copy::is_aligned_to_eight::<$message>() },
        >>::OK;

        impl $crate::traits::ExtendedMessage for $message {
            #[inline]
            fn get_size(&self) -> usize {
                <$message as $crate::__private::encoding::zero_copy::Coded>::bytes(self).len()
            }

            #[inline]
            fn write_into(&self, buffer: &mut [u8]) {
                buffer.copy_from_slice(<$message as $crate::__private::encoding::zero_copy::Coded>::bytes(self));
            }

            #[inline]
            fn as_encoded(&self) -> $crate::__private::Option<&[u8]> {
                let bytes = <$message as $crate::__private::encoding::zero_copy::Coded>::bytes(self);
                $crate::__private::Option::Some(bytes)
            }
        }

        impl $crate::traits::Encoded for $message {
            type Decoded<'a> = &'a $message;

            #[inline]
            fn decode(payload: &[u8]) -> $crate::__private::Result<&$message, $crate::traits::DecodeError> {
                <$message as $crate::__private::encoding::zero_copy::Coded>::decode(payload)
            }
        }
    };
}

/// The message in `bytes`, in place.
///
/// # Errors
///
/// [`DecodeError`]: wrong length, or no value of this type.
#[inline]
pub fn decode<M: PlainMemory>(bytes: &[u8]) -> Result<&M, DecodeError> {
    const { assert!(align_of::<M>() <= 8, "a zero-copy message may be aligned to 8 bytes at most") };
    M::try_ref_from_bytes(bytes).map_err(|_| refused::<M>(bytes))
}

/// What is wrong with `bytes`, looked at once more: what it takes to say this would stand in the loop of every worker
/// that receives such a message.
#[cold]
#[inline(never)]
fn refused<M: PlainMemory>(bytes: &[u8]) -> DecodeError {
    DecodeError::new(match M::try_ref_from_bytes(bytes) {
        Err(error) => error.to_string(),
        Ok(_) => "not what they were at the first look".to_owned(),
    })
}

/// How a handler fills a message inside the bus. Every [`Handler`] has it.
///
/// ```
/// use rust_messenger::{Handler, SendInPlace, Writer};
/// use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
///
/// #[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
/// #[repr(C)]
/// struct Tick {
///     price: u64,
/// }
/// rust_messenger::zero_copy_message!(Tick, 7);
///
/// struct Feed;
///
/// impl Handler for Feed {
///     type Id = u16;
///     const ID: u16 = 1;
///
///     fn on_start<W: Writer>(&mut self, writer: &W) {
///         Self::send_in_place::<Tick, _>(writer, |tick| tick.price = 42);
///     }
/// }
/// ```
pub trait SendInPlace: Handler {
    /// Claims a zeroed `M` in the bus and lets `fill` fill it there. A worker never waits here: when the bus is full,
    /// the message goes to the worker's outbox. The messenger reports what fails, as for
    /// [`send`](crate::traits::Sender::send).
    #[inline]
    fn send_in_place<M: ZeroCopyMessage + FromZeros, W: Writer>(writer: &W, fill: impl FnOnce(&mut M)) {
        const { assert!(align_of::<M>() <= 8, "a zero-copy message may be aligned to 8 bytes at most") };
        let (source, message) = (Self::ID.into(), M::ID.into());
        if let Err(error) = writer.put(source, message, &mut InPlace { fill: Some(fill), message: PhantomData }) {
            writer.report(Report::Unsent { source, message, error });
        }
    }
}

impl<H: Handler> SendInPlace for H {}

/// A message that is made where it will be read.
struct InPlace<M, F> {
    fill: Option<F>,
    message: PhantomData<fn(M)>,
}

impl<M: ZeroCopyMessage + FromZeros, F: FnOnce(&mut M)> Payload for InPlace<M, F> {
    #[inline]
    fn size(&self) -> usize {
        size_of::<M>()
    }

    #[inline]
    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        let message = M::try_mut_from_bytes(space.zeroed()).map_err(|error| EncodeError::Refused(error.to_string()))?;
        if let Some(fill) = self.fill.take() {
            fill(message);
        }
        Ok(())
    }
}
