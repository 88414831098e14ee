//! How large structs become, and which of nanopb's descriptors have room for that.

use super::plan::{Field, Message, Place, Rule, Value};
use crate::error::Error;
use crate::model::{Located, Model};
use std::collections::HashMap;

/// nanopb's descriptors, as Debian builds it, have 16 bits for numbers of fields, sizes and offsets.
pub(super) const LIMIT: u64 = 65_535;

/// How large a member is, and to what its place is a multiple.
#[derive(Clone, Copy, Default)]
struct Layout {
    size: u64,
    align: u64,
}

impl Layout {
    fn new(size: u64, align: u64) -> Layout {
        Layout { size, align }
    }

    /// Adds a member.
    fn push(&mut self, member: Layout) {
        self.size = self.size.next_multiple_of(member.align) + member.size;
        self.align = self.align.max(member.align);
    }

    /// Puts a member into the same place as others.
    fn overlay(&mut self, member: Layout) {
        self.size = self.size.max(member.size);
        self.align = self.align.max(member.align);
    }

    fn finish(self) -> Layout {
        Layout { size: self.size.next_multiple_of(self.align.max(1)), align: self.align.max(1) }
    }
}

/// Chooses descriptors that have room for sizes and offsets.
///
/// Sizes are those where pointers have 64 bits and all types their natural alignment, which no other processor exceeds.
pub(super) fn measure(model: &Model, messages: &mut [Message], order: &[usize]) -> Result<(), Error> {
    let mut layouts = vec![Layout::default(); messages.len()];
    for &i in order {
        let message = &messages[i];
        let (mut largest_item, mut largest_count) = (0, 0);
        let mut members = Vec::new();
        let mut unions: HashMap<&str, Layout> = HashMap::new();
        for field in &message.fields {
            let item = item_layout(field, &layouts);
            let count = if let Place::Static(count) = field.place { u64::from(count) } else { 1 };
            let size = item.size.saturating_mul(count);
            if size > LIMIT {
                return Err(too_large(model, &field.descriptor, field.descriptor.name()));
            }
            largest_item = largest_item.max(item.size);
            largest_count = largest_count.max(count);
            let member = Layout::new(size, item.align);
            members.push(member);
            if let Some(oneof) = &field.oneof {
                unions.entry(oneof).or_default().overlay(member);
            }
        }
        let mut whole = Layout::new(0, 1);
        for (field, &member) in message.fields.iter().zip(&members) {
            match (&field.oneof, field.rule, field.place) {
                (Some(oneof), ..) => {
                    if let Some(union) = unions.remove(&**oneof) {
                        whole.push(Layout::new(4, 4));
                        whole.push(union.finish());
                    }
                    continue;
                }
                (None, Rule::Repeated, Place::Pointer) => whole.push(Layout::new(8, 8)),
                (None, Rule::Repeated, Place::Static(_)) => whole.push(Layout::new(4, 4)),
                (None, Rule::Optional, Place::Static(_)) => whole.push(Layout::new(1, 1)),
                _ => {}
            }
            whole.push(member);
        }
        // An empty struct is none in C.
        let whole = if whole.size == 0 { Layout::new(1, 1) } else { whole.finish() };
        if whole.size > LIMIT {
            return Err(too_large(model, &message.descriptor, message.descriptor.name()));
        }
        layouts[i] = whole;
        let largest_tag = message.fields.iter().map(|field| field.descriptor.number()).max().unwrap_or(0);
        messages[i].width = if whole.size < 1 << 8 && largest_tag < 1 << 6 {
            "AUTO"
        } else if largest_tag < 1 << 10 && largest_item < 1 << 12 && largest_count < 1 << 12 {
            "2"
        } else {
            "4"
        };
    }
    Ok(())
}

fn item_layout(field: &Field, layouts: &[Layout]) -> Layout {
    match (&field.value, field.place, field.rule) {
        // A pointer, or bytes, which are a size and a pointer.
        (Value::Bytes(_), Place::Pointer, rule) if rule != Rule::Repeated => Layout::new(16, 8),
        (_, Place::Pointer, _) => Layout::new(8, 8),
        (Value::Number { size, .. }, ..) => Layout::new(u64::from(*size), u64::from(*size)),
        (Value::Enum(_), ..) => Layout::new(4, 4),
        (Value::String(size), ..) => Layout::new(u64::from(size.unwrap_or(0)), 1),
        (Value::Bytes(size), ..) => Layout::new((u64::from(size.unwrap_or(0)) + 4).next_multiple_of(4), 4),
        (Value::FixedBytes(size), ..) => Layout::new(u64::from(*size), 1),
        (Value::Message(message), ..) => layouts[*message],
    }
}

fn too_large(model: &Model, at: &impl Located, name: &str) -> Error {
    let what = format!(
        "`{name}` is larger than the {LIMIT} bytes and items that nanopb's descriptors reach: give it smaller sizes, \
         or none, or FT_POINTER to what it holds"
    );
    model.error(at, what)
}
