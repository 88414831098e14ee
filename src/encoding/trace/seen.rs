//! What was seen of a type: its places, what each answers next, and the shape that they make.

use super::super::shape::{Field, Fields, Shape, Variants};
use serde::de;
use std::fmt;

/// More places than that are not looked at.
const NODES: usize = 10_000;
/// So often a place is visited or thought about, in all passes together.
pub(super) const STEPS: usize = 1_000_000;

/// All that has been seen.
#[derive(Default)]
pub(super) struct Trace {
    /// The first one is the whole.
    pub(super) nodes: Vec<Node>,
    /// The last place that answered.
    pub(super) touched: usize,
    /// Whether this pass has found something.
    pub(super) found: bool,
    pub(super) steps: usize,
    /// The types that are being deserialized: the visitor, the level, and the place.
    pub(super) entered: Vec<(&'static str, usize, usize)>,
    /// How many brackets are open.
    pub(super) level: usize,
    /// How deep the calls are.
    pub(super) depth: usize,
}

/// One place.
pub(super) struct Node {
    pub(super) kind: Kind,
    /// How many of its answers were refused.
    pub(super) refusals: usize,
}

pub(super) enum Kind {
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
pub(super) struct Places {
    /// Their names, if they have any.
    pub(super) names: Option<&'static [&'static str]>,
    /// Those that were asked for.
    pub(super) asked: Vec<usize>,
    /// Whether those are all: it was made once.
    pub(super) is_made: bool,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Variant {
    /// What it holds, once it has asked.
    pub(super) holds: Option<usize>,
    pub(super) is_seen: bool,
    is_refused: bool,
}

impl Node {
    fn new() -> Node {
        Node { kind: Kind::Unseen, refusals: 0 }
    }
}

impl Trace {
    /// Nothing was seen yet.
    pub(super) fn new() -> Trace {
        Trace { nodes: vec![Node::new()], ..Trace::default() }
    }

    /// Begins a pass.
    pub(super) fn begin(&mut self) {
        self.found = false;
        self.touched = 0;
        self.entered.clear();
        (self.level, self.depth) = (0, 0);
    }

    /// What was answered there does not do.
    pub(super) fn refuse(&mut self, at: usize) {
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

    pub(super) fn make(&mut self) -> Option<usize> {
        (self.nodes.len() < NODES).then(|| {
            self.nodes.push(Node::new());
            self.found = true;
            self.nodes.len() - 1
        })
    }

    /// Says what a place is, or hears that it was another thing before, of which nothing is known then.
    pub(super) fn settle(
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
    pub(super) fn is_done(&mut self, at: usize) -> bool {
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
    pub(super) fn is_blocked(&mut self, at: usize, looks_up: bool) -> bool {
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
    pub(super) fn choose(&mut self, at: usize, only_finite: bool) -> Option<usize> {
        let Kind::Enum(_, variants) = &self.nodes[at].kind else { return None };
        let variants = variants.clone();
        let has_more = |trace: &mut Self| variants.iter().position(|variant| !trace.is_variant_done(*variant));
        let unseen = if only_finite { None } else { has_more(self) };
        unseen.or_else(|| variants.iter().position(|variant| !self.is_variant_blocked(*variant, !only_finite)))
    }
}

/// What was found.
impl Trace {
    pub(super) fn shape(&self, at: usize) -> Shape {
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
pub(super) enum Stop {
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
