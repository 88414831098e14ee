//! The shape of a serde type, found by deserializing it: a deserializer that writes down what it is asked for, and
//! answers with something.
//!
//! One pass sees one variant of each enum, and ends where a value is refused. So there are passes until one finds
//! nothing new: each takes, in every place that has a choice, what has not been seen, and then whatever ends soonest. A
//! type that holds itself is entered once. A place that refuses a value gets others; one that refuses all of them ends
//! what can be known, and so does one that asks for what is not told from the bytes.

use super::shape::{Field, Fields, Shape, Variants};
use crate::blame::caught;
use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use std::fmt;

/// More places than that are not looked at.
const NODES: usize = 10_000;
/// So often a place is visited or thought about, in all passes together.
const STEPS: usize = 1_000_000;
/// Deeper ones are not looked at: deserializing recurs.
const DEPTH: usize = 64;

const STRINGS: [&str; 3] = ["", "a", "1970-01-01T00:00:00Z"];
const BYTES: [&[u8]; 3] = [b"", b"a", &[0; 16]];

/// The shape of `M`, as its `Deserialize` asks for it; `?` if that panics.
pub fn shape<M: DeserializeOwned>() -> String {
    let traced = caught(|| {
        let mut trace = Trace { nodes: vec![Node::new()], ..Trace::default() };
        trace.run(|tracer| M::deserialize(tracer).map(drop));
        trace.shape(0).to_string()
    });
    traced.unwrap_or_else(|_| Shape::Unknown.to_string())
}

/// All that has been seen.
#[derive(Default)]
struct Trace {
    /// The first one is the whole.
    nodes: Vec<Node>,
    /// The last place that answered.
    touched: usize,
    /// Whether this pass has found something.
    found: bool,
    steps: usize,
    /// The types that are being deserialized: the visitor, the level, and the place.
    entered: Vec<(&'static str, usize, usize)>,
    /// How many brackets are open.
    level: usize,
    /// How deep the calls are.
    depth: usize,
}

/// One place.
struct Node {
    kind: Kind,
    /// How many of its answers were refused.
    refusals: usize,
}

enum Kind {
    Unseen,
    /// It asks for what nothing is known of.
    Opaque,
    /// One piece, and how many answers there are.
    Word(&'static str, usize),
    Unit,
    Option(usize),
    List(usize),
    Map([usize; 2]),
    Fields(Places),
    Enum(&'static [&'static str], Vec<Variant>),
    /// A type in itself: so many levels further out, and the place there.
    Up(usize, usize),
}

/// Fields behind each other.
struct Places {
    /// Their names, if they have any.
    names: Option<&'static [&'static str]>,
    /// Those that were asked for.
    asked: Vec<usize>,
    /// Whether those are all: it was made once.
    is_made: bool,
}

#[derive(Clone, Copy, Default)]
struct Variant {
    /// What it holds, once it has asked.
    holds: Option<usize>,
    is_seen: bool,
    is_refused: bool,
}

impl Node {
    fn new() -> Node {
        Node { kind: Kind::Unseen, refusals: 0 }
    }
}

impl Trace {
    /// Passes until one finds nothing.
    fn run(&mut self, mut pass: impl FnMut(Tracer<'_>) -> Result<(), Stop>) {
        loop {
            self.found = false;
            self.touched = 0;
            self.entered.clear();
            (self.level, self.depth) = (0, 0);
            let outcome = pass(Tracer { trace: self, at: 0, only_finite: false });
            if let Err(Stop::Refused) = outcome {
                self.refuse(self.touched);
            }
            if !self.found || self.steps > STEPS {
                return;
            }
        }
    }

    /// What was answered there does not do.
    fn refuse(&mut self, at: usize) {
        let answers = self.answers(at);
        let node = &mut self.nodes[at];
        if let Kind::Enum(_, variants) = &mut node.kind {
            let chosen = node.refusals;
            if let Some(variant) = variants.get_mut(chosen).filter(|variant| !variant.is_refused) {
                variant.is_refused = true;
                self.found = true;
            }
        } else if node.refusals < answers {
            node.refusals += 1;
            self.found = true;
        }
    }

    /// How many different answers a place has.
    fn answers(&self, at: usize) -> usize {
        match self.nodes[at].kind {
            Kind::Word(_, answers) => answers,
            Kind::Unit => 1,
            // None and one.
            Kind::Option(_) | Kind::List(_) | Kind::Map(_) => 2,
            _ => 0,
        }
    }

    fn step(&mut self) -> Result<(), Stop> {
        self.steps += 1;
        if self.steps > STEPS { Err(Stop::Cut) } else { Ok(()) }
    }

    fn make(&mut self) -> Option<usize> {
        (self.nodes.len() < NODES).then(|| {
            self.nodes.push(Node::new());
            self.found = true;
            self.nodes.len() - 1
        })
    }

    /// Says what a place is, or hears that it was another thing before, of which nothing is known then.
    fn settle(
        &mut self,
        at: usize,
        is_same: impl Fn(&Kind) -> bool,
        new: impl FnOnce(&mut Self) -> Option<Kind>,
    ) -> Result<(), Stop> {
        self.step()?;
        self.touched = at;
        if matches!(self.nodes[at].kind, Kind::Unseen) {
            let kind = new(self).unwrap_or(Kind::Opaque);
            self.nodes[at].kind = kind;
            self.found = true;
        } else if !is_same(&self.nodes[at].kind) && !matches!(self.nodes[at].kind, Kind::Opaque) {
            self.nodes[at].kind = Kind::Opaque;
            self.found = true;
        }
        if matches!(self.nodes[at].kind, Kind::Opaque) { Err(Stop::Cut) } else { Ok(()) }
    }

    /// Whether nothing more can be learned from a place.
    fn is_done(&mut self, at: usize) -> bool {
        self.steps += 1;
        if self.steps > STEPS {
            return true;
        }
        match &self.nodes[at].kind {
            Kind::Unseen => false,
            Kind::Opaque | Kind::Word(..) | Kind::Unit | Kind::Up(..) => true,
            &Kind::Option(inner) | &Kind::List(inner) => self.is_done(inner),
            &Kind::Map([key, value]) => self.is_done(key) && (self.is_blocked(key, true) || self.is_done(value)),
            Kind::Fields(Places { asked, is_made, .. }) => {
                let (asked, is_made) = (asked.clone(), *is_made);
                for place in asked {
                    if !self.is_done(place) {
                        return false;
                    }
                    if self.is_blocked(place, true) {
                        return true;
                    }
                }
                is_made
            }
            Kind::Enum(_, variants) => variants.clone().into_iter().all(|variant| self.is_variant_done(variant)),
        }
    }

    fn is_variant_done(&mut self, variant: Variant) -> bool {
        variant.is_refused || variant.is_seen && variant.holds.is_none_or(|held| self.is_done(held))
    }

    /// Whether no value is known for a place, so that nothing behind it can be seen. A type in itself is looked into
    /// once.
    fn is_blocked(&mut self, at: usize, looks_up: bool) -> bool {
        self.steps += 1;
        if self.steps > STEPS {
            return true;
        }
        let refusals = self.nodes[at].refusals;
        match &self.nodes[at].kind {
            Kind::Unseen | Kind::Opaque => true,
            &Kind::Word(_, answers) => refusals >= answers,
            Kind::Unit => refusals >= 1,
            &Kind::Option(inner) | &Kind::List(inner) => {
                refusals >= 2 || refusals == 1 && self.is_blocked(inner, looks_up)
            }
            &Kind::Map(pair) => {
                refusals >= 2 || refusals == 1 && pair.into_iter().any(|place| self.is_blocked(place, looks_up))
            }
            Kind::Fields(Places { asked, is_made, .. }) => {
                !is_made || asked.clone().into_iter().any(|place| self.is_blocked(place, looks_up))
            }
            Kind::Enum(_, variants) => {
                variants.clone().into_iter().all(|variant| self.is_variant_blocked(variant, looks_up))
            }
            &Kind::Up(_, outer) => !looks_up || self.is_blocked(outer, false),
        }
    }

    fn is_variant_blocked(&mut self, variant: Variant, looks_up: bool) -> bool {
        variant.is_refused || !variant.is_seen || variant.holds.is_some_and(|held| self.is_blocked(held, looks_up))
    }

    /// The variant to take: one that has something to show, or else one that has a value.
    fn choose(&mut self, at: usize, only_finite: bool) -> Option<usize> {
        let Kind::Enum(_, variants) = &self.nodes[at].kind else { return None };
        let variants = variants.clone();
        let has_more = |trace: &mut Self| variants.iter().position(|variant| !trace.is_variant_done(*variant));
        let unseen = if only_finite { None } else { has_more(self) };
        unseen.or_else(|| variants.iter().position(|variant| !self.is_variant_blocked(*variant, !only_finite)))
    }

    // --------------------------------------------------------------------------------------------------- what was
    // found

    fn shape(&self, at: usize) -> Shape {
        match &self.nodes[at].kind {
            Kind::Unseen | Kind::Opaque => Shape::Unknown,
            Kind::Word(word, _) => Shape::word(word),
            Kind::Unit => Shape::unit(),
            Kind::Option(inner) => Shape::Option(Box::new(self.shape(*inner))),
            Kind::List(inner) => Shape::List(Box::new(self.shape(*inner))),
            Kind::Map(pair) => Shape::Map(Box::new(pair.map(|place| self.shape(place)))),
            Kind::Fields(places) => self.fields(places),
            Kind::Enum(names, variants) => self.variants(names, variants),
            Kind::Up(levels, _) => Shape::Up(*levels),
        }
    }

    fn fields(&self, Places { names, asked, is_made }: &Places) -> Shape {
        let is_seen = |place: &&usize| !matches!(self.nodes[**place].kind, Kind::Unseen);
        let seen: Vec<_> = asked.iter().take_while(is_seen).map(|place| self.shape(*place)).collect();
        let Some(names) = names else { return tuple(seen, !is_made) };
        // With aliases there are more names than fields, and nobody says which is whose.
        let is_named = !is_made || names.len() == asked.len();
        let names = names.iter().map(|name| Some((*name).to_owned()).filter(|_| is_named));
        let list = seen.into_iter().zip(names).map(|(shape, name)| Field { name, offset: None, shape });
        Shape::Fields(Fields { list: list.collect(), named: true, open: !is_made })
    }

    fn variants(&self, names: &[&str], variants: &[Variant]) -> Shape {
        // With aliases there are more names than variants, as with fields: those at the end are refused.
        let count =
            variants.len() - variants.iter().rev().take_while(|variant| !variant.is_seen && variant.is_refused).count();
        let known = &variants[..count];
        let is_named = count == variants.len();
        let seen = known.iter().take_while(|variant| variant.is_seen).count();
        let list = known[..seen].iter().zip(names).map(|(variant, name)| {
            let name = Some((*name).to_owned()).filter(|_| is_named);
            (name, variant.holds.map(|held| self.shape(held)).filter(|shape| *shape != Shape::unit()))
        });
        Shape::Enum(Variants { list: list.collect(), open: seen < count })
    }
}

/// Fields without names; many of one shape are an array.
fn tuple(shapes: Vec<Shape>, open: bool) -> Shape {
    match &shapes[..] {
        [first, rest @ ..] if !open && !rest.is_empty() && rest.iter().all(|other| other == first) => {
            Shape::Array(Box::new(first.clone()), shapes.len() as u64)
        }
        _ => {
            let list = shapes.into_iter().map(|shape| Field { name: None, offset: None, shape });
            Shape::Fields(Fields { list: list.collect(), named: false, open })
        }
    }
}

/// Why a pass ends before the type is made.
#[derive(Debug)]
enum Stop {
    /// The type does not take what it was given.
    Refused,
    /// There is nothing to give it.
    Cut,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("looked at, not read")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Stop {
        Stop::Refused
    }
}

/// The deserializer of one place.
struct Tracer<'a> {
    trace: &'a mut Trace,
    at: usize,
    /// Whether to give a value and learn nothing: within a type in itself.
    only_finite: bool,
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

#[cfg(test)]
mod tests;
