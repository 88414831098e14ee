//! The deserializer that asks a type for its shape, place by place.

use super::seen::{Kind, Places, Stop, Trace, Variant};
use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

/// Deeper places are not looked at: deserializing recurs.
const DEPTH: usize = 64;

const STRINGS: [&str; 3] = ["", "a", "1970-01-01T00:00:00Z"];
const BYTES: [&[u8]; 3] = [b"", b"a", &[0; 16]];

/// The deserializer of one place.
pub(super) struct Tracer<'a> {
    pub(super) trace: &'a mut Trace,
    pub(super) at: usize,
    /// Whether to give a value and learn nothing: within a type in itself.
    pub(super) only_finite: bool,
}

impl Tracer<'_> {
    fn inner(&mut self, at: usize) -> Tracer<'_> {
        Tracer { trace: self.trace, at, only_finite: self.only_finite }
    }

    /// Deserializes within, one call deeper.
    fn deeper<T>(mut self, brackets: usize, run: impl FnOnce(Tracer<'_>) -> Result<T, Stop>) -> Result<T, Stop> {
        if self.trace.depth >= DEPTH {
            if !self.only_finite {
                self.trace.nodes[self.at].kind = Kind::Opaque;
                self.trace.found = true;
            }
            return Err(Stop::Cut);
        }
        self.trace.depth += 1;
        self.trace.level += brackets;
        let at = self.at;
        let result = run(self.inner(at));
        self.trace.level -= brackets;
        self.trace.depth -= 1;
        result
    }

    /// Settles a place that is one piece; says which of its answers to give.
    fn word(&mut self, word: &'static str, answers: usize) -> Result<usize, Stop> {
        self.trace.settle(
            self.at,
            |kind| matches!(kind, Kind::Word(same, _) if *same == word),
            |_| Some(Kind::Word(word, answers)),
        )?;
        let refusals = self.trace.nodes[self.at].refusals;
        if refusals < answers { Ok(refusals) } else { Err(Stop::Cut) }
    }

    fn unit(&mut self) -> Result<(), Stop> {
        self.trace.settle(self.at, |kind| matches!(kind, Kind::Unit), |_| Some(Kind::Unit))
    }

    /// Nothing is told from the bytes: no encoding here reads such a type.
    fn opaque<T>(&mut self) -> Result<T, Stop> {
        self.trace.settle(self.at, |_| false, |_| Some(Kind::Opaque))?;
        Err(Stop::Cut)
    }

    /// How many elements to give: one to see them, then none, and again one if that is refused.
    fn count(&mut self, inner: &[usize]) -> Result<usize, Stop> {
        let refusals = self.trace.nodes[self.at].refusals;
        let is_done = self.only_finite || inner.iter().all(|place| self.trace.is_done(*place));
        match refusals {
            0 => Ok(usize::from(!is_done)),
            1 => Ok(1),
            _ => Err(Stop::Cut),
        }
    }

    /// Enters a type by its visitor. If it is in itself already, either gives a value of it or ends.
    fn enter<V, T>(
        mut self,
        again: usize,
        visitor: V,
        brackets: usize,
        run: impl FnOnce(Tracer<'_>, V) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let name = std::any::type_name::<V>();
        let mut entered = self.trace.entered.iter().filter(|(entered, ..)| *entered == name);
        let outer = entered.clone().next_back().copied().filter(|_| entered.nth(again - 1).is_some());
        if let (Some((_, level, outer)), false) = (outer, self.only_finite) {
            let levels = self.trace.level - level;
            self.trace.settle(
                self.at,
                |kind| matches!(kind, Kind::Up(..)),
                |_| (levels != 0).then_some(Kind::Up(levels, outer)),
            )?;
            if self.trace.is_blocked(self.at, true) {
                return Err(Stop::Cut);
            }
            (self.at, self.only_finite) = (outer, true);
        }
        let entry = (name, self.trace.level, self.at);
        self.trace.entered.push(entry);
        let mut this = self;
        let at = this.at;
        let result = this.inner(at).deeper(brackets, |inner| run(inner, visitor));
        this.trace.entered.pop();
        result
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        names: Option<&'static [&'static str]>,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.trace.settle(
            self.at,
            |kind| matches!(kind, Kind::Fields(same) if same.names == names),
            |_| Some(Kind::Fields(Places { names, asked: Vec::new(), is_made: false })),
        )?;
        let Tracer { trace, at, only_finite } = self;
        let tracer = Tracer { trace: &mut *trace, at, only_finite };
        let made = visitor.visit_seq(Elements { tracer, next: 0, len, of: Of::Fields })?;
        if let Kind::Fields(places) = &mut trace.nodes[at].kind {
            trace.found |= !std::mem::replace(&mut places.is_made, true);
        }
        Ok(made)
    }
}

macro_rules! words {
    ($( $method:ident $visit:ident $word:literal [$($value:expr),+]; )+) => { $(
        fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
            let values = [$($value),+];
            let answer = self.word($word, values.len())?;
            visitor.$visit(values[answer])
        }
    )+ };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Stop;

    /// As postcard and bincode say it.
    fn is_human_readable(&self) -> bool {
        false
    }

    words! {
        deserialize_bool visit_bool "bool" [false, true];
        deserialize_i8 visit_i8 "i8" [0, 1];
        deserialize_i16 visit_i16 "i16" [0, 1];
        deserialize_i32 visit_i32 "i32" [0, 1];
        deserialize_i64 visit_i64 "i64" [0, 1];
        deserialize_i128 visit_i128 "i128" [0, 1];
        deserialize_u8 visit_u8 "u8" [0, 1];
        deserialize_u16 visit_u16 "u16" [0, 1];
        deserialize_u32 visit_u32 "u32" [0, 1];
        deserialize_u64 visit_u64 "u64" [0, 1];
        deserialize_u128 visit_u128 "u128" [0, 1];
        deserialize_f32 visit_f32 "f32" [0.0, 1.0];
        deserialize_f64 visit_f64 "f64" [0.0, 1.0];
        deserialize_char visit_char "char" ['a'];
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let answer = self.word("str", STRINGS.len())?;
        visitor.visit_borrowed_str(STRINGS[answer])
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let answer = self.word("bytes", BYTES.len())?;
        visitor.visit_borrowed_bytes(BYTES[answer])
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.unit()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        // Entered once more than others: what is in it is told better by what it wraps.
        self.enter(2, visitor, 0, |tracer, visitor| visitor.visit_newtype_struct(tracer))
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.trace.settle(self.at, |kind| matches!(kind, Kind::Option(_)), |trace| trace.make().map(Kind::Option))?;
        let &Kind::Option(inner) = &self.trace.nodes[self.at].kind else { return Err(Stop::Cut) };
        match self.count(&[inner])? {
            0 => visitor.visit_none(),
            _ => self.deeper(1, |mut tracer| visitor.visit_some(tracer.inner(inner))),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        self.trace.settle(self.at, |kind| matches!(kind, Kind::List(_)), |trace| trace.make().map(Kind::List))?;
        let &Kind::List(inner) = &self.trace.nodes[self.at].kind else { return Err(Stop::Cut) };
        let len = self.count(&[inner])?;
        self.deeper(1, |tracer| visitor.visit_seq(Elements { tracer, next: 0, len, of: Of::Each([inner; 2]) }))
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        let pair = |trace: &mut Trace| Some(Kind::Map([trace.make()?, trace.make()?]));
        self.trace.settle(self.at, |kind| matches!(kind, Kind::Map(_)), pair)?;
        let &Kind::Map(pair) = &self.trace.nodes[self.at].kind else { return Err(Stop::Cut) };
        let len = self.count(&pair)?;
        self.deeper(1, |tracer| visitor.visit_map(Elements { tracer, next: 0, len, of: Of::Each(pair) }))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.deeper(1, |tracer| tracer.fields(None, len, visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter(1, visitor, 1, |tracer, visitor| tracer.fields(None, len, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter(1, visitor, 1, |tracer, visitor| tracer.fields(Some(fields), fields.len(), visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter(1, visitor, 1, |tracer, visitor| {
            tracer.trace.settle(
                tracer.at,
                |kind| matches!(kind, Kind::Enum(same, _) if *same == variants),
                |_| Some(Kind::Enum(variants, vec![Variant::default(); variants.len()])),
            )?;
            let chosen = tracer.trace.choose(tracer.at, tracer.only_finite).ok_or(Stop::Cut)?;
            // What `refuse` finds.
            tracer.trace.nodes[tracer.at].refusals = chosen;
            visitor.visit_enum(Chosen { tracer, variant: chosen })
        })
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, _: V) -> Result<V::Value, Stop> {
        self.opaque()
    }

    fn deserialize_identifier<V: Visitor<'de>>(mut self, _: V) -> Result<V::Value, Stop> {
        self.opaque()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, _: V) -> Result<V::Value, Stop> {
        self.opaque()
    }
}

/// What the elements of a sequence are.
enum Of {
    /// Places of their own.
    Fields,
    /// One place, or one for keys and one for values.
    Each([usize; 2]),
}

struct Elements<'a> {
    tracer: Tracer<'a>,
    next: usize,
    len: usize,
    of: Of,
}

impl Elements<'_> {
    fn place(&mut self, is_value: bool) -> Result<usize, Stop> {
        let Tracer { trace, at, .. } = &mut self.tracer;
        match self.of {
            Of::Each(pair) => Ok(pair[usize::from(is_value)]),
            Of::Fields => {
                let Kind::Fields(places) = &trace.nodes[*at].kind else { return Err(Stop::Cut) };
                if let Some(&place) = places.asked.get(self.next) {
                    return Ok(place);
                }
                let place = trace.make().ok_or(Stop::Cut)?;
                let Kind::Fields(places) = &mut trace.nodes[*at].kind else { return Err(Stop::Cut) };
                places.asked.push(place);
                Ok(place)
            }
        }
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        if self.next >= self.len {
            return Ok(None);
        }
        let place = self.place(false)?;
        self.next += 1;
        seed.deserialize(self.tracer.inner(place)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.next)
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        let place = self.place(true)?;
        seed.deserialize(self.tracer.inner(place))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.next)
    }
}

/// A variant of an enum.
struct Chosen<'a> {
    tracer: Tracer<'a>,
    variant: usize,
}

impl Chosen<'_> {
    fn variant(&mut self) -> Result<&mut Variant, Stop> {
        match &mut self.tracer.trace.nodes[self.tracer.at].kind {
            Kind::Enum(_, variants) => variants.get_mut(self.variant).ok_or(Stop::Cut),
            _ => Err(Stop::Cut),
        }
    }

    fn see(&mut self) -> Result<(), Stop> {
        if !self.variant()?.is_seen {
            self.variant()?.is_seen = true;
            self.tracer.trace.found = true;
        }
        Ok(())
    }

    /// Deserializes what the variant holds.
    fn held<T>(mut self, run: impl FnOnce(Tracer<'_>) -> Result<T, Stop>) -> Result<T, Stop> {
        self.see()?;
        let held = match self.variant()?.holds {
            Some(held) => held,
            None => {
                let made = self.tracer.trace.make().ok_or(Stop::Cut)?;
                self.variant()?.holds = Some(made);
                made
            }
        };
        run(self.tracer.inner(held))
    }
}

impl<'de> de::EnumAccess<'de> for Chosen<'_> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Stop> {
        // As postcard and bincode have it.
        let index: U32Deserializer<Stop> = (self.variant as u32).into_deserializer();
        seed.deserialize(index).map(|variant| (variant, self))
    }
}

impl<'de> de::VariantAccess<'de> for Chosen<'_> {
    type Error = Stop;

    fn unit_variant(mut self) -> Result<(), Stop> {
        self.see()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Stop> {
        self.held(|tracer| seed.deserialize(tracer))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        self.held(|tracer| tracer.deeper(1, |tracer| tracer.fields(None, len, visitor)))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Stop> {
        self.held(|tracer| tracer.deeper(1, |tracer| tracer.fields(Some(fields), fields.len(), visitor)))
    }
}
