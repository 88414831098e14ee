//! The options of nanopb.proto.

use crate::error::Error;
use crate::model::Model;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage};

/// Where a field's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Default,
    Static,
    Ignore,
    Pointer,
}

/// What applies to a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Of a string with the zero at its end, or of bytes.
    pub(super) max_size: Option<u32>,
    pub(super) max_count: Option<u32>,
    pub(super) place: Place,
    /// In bytes.
    pub(super) int_size: Option<u32>,
    pub(super) fixed_length: bool,
    pub(super) fixed_count: bool,
    /// Whether a size is the field's own, and not that of its message or file.
    pub(super) own_size: bool,
}

impl Options {
    /// The innermost options count.
    pub(super) fn of(model: &Model, field: &FieldDescriptor) -> Result<Options, Error> {
        let mut all = Vec::new();
        all.extend(extension(model, "nanopb", &field.options()));
        let own = all.len();
        let mut message = Some(field.parent_message().clone());
        while let Some(around) = message {
            all.extend(extension(model, "nanopb_msgopt", &around.options()));
            message = around.parent_message();
        }
        all.extend(extension(model, "nanopb_fileopt", &field.parent_file().options()));
        let number = |name: &str, levels: &[DynamicMessage]| levels.iter().find_map(|level| get(level, name));
        let size = |name: &str, least: i64| match number(name, &all) {
            Some(value) if value < least => {
                Err(model.error(field, format!("`{name}` of `{}` must be at least {least}", field.name())))
            }
            value => Ok(value.map(|value| value as u32)),
        };
        let is_string = field.kind() == Kind::String;
        let max_length = if is_string { size("max_length", 0)?.map(|length| length.saturating_add(1)) } else { None };
        let options = Options {
            max_size: max_length.or(size("max_size", 1)?),
            max_count: size("max_count", 1)?,
            place: match number("type", &all) {
                Some(2) => Place::Static,
                Some(3) => Place::Ignore,
                Some(4) => Place::Pointer,
                _ => Place::Default,
            },
            int_size: number("int_size", &all).filter(|&bits| bits > 0).map(|bits| bits as u32 / 8),
            fixed_length: number("fixed_length", &all) == Some(1),
            fixed_count: number("fixed_count", &all) == Some(1),
            own_size: ["max_size", "max_length", "max_count"].iter().any(|name| number(name, &all[..own]).is_some()),
        };
        options.check_own(model, field, &all[..own])?;
        Ok(options)
    }

    /// That the field's own options mean something for it. Those of its message and its file are for other fields, too.
    fn check_own(&self, model: &Model, field: &FieldDescriptor, own: &[DynamicMessage]) -> Result<(), Error> {
        let kind = field.kind();
        let text = matches!(kind, Kind::String | Kind::Bytes);
        let integer =
            matches!(kind, Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Sint64);
        for (name, applies, to) in [
            ("max_size", text, "strings and bytes"),
            ("max_length", kind == Kind::String, "strings"),
            ("fixed_length", kind == Kind::Bytes, "bytes"),
            ("max_count", field.is_list() || field.is_map(), "repeated fields"),
            ("fixed_count", field.is_list() || field.is_map(), "repeated fields"),
            ("int_size", integer, "integers of variable length"),
        ] {
            if !applies && own.iter().any(|level| get(level, name).is_some_and(|value| value != 0)) {
                let what = format!("`{name}` is for {to}, which `{}` is none of: remove it", field.name());
                return Err(model.error(field, what));
            }
        }
        Ok(())
    }
}

fn extension(model: &Model, name: &str, options: &DynamicMessage) -> Option<DynamicMessage> {
    let extension = model.pool.get_extension_by_name(name)?;
    if !options.has_extension(&extension) {
        return None;
    }
    options.get_extension(&extension).as_message().cloned()
}

/// A number, a name's number, or a flag.
fn get(options: &DynamicMessage, name: &str) -> Option<i64> {
    let field = options.descriptor().get_field_by_name(name)?;
    if !options.has_field(&field) {
        return None;
    }
    let value = options.get_field(&field);
    (value.as_i32().map(i64::from)).or(value.as_enum_number().map(i64::from)).or(value.as_bool().map(i64::from))
}
