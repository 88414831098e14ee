//! A handler is given an id that its enum lacks.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

messenger_id_enum!(OfficeId { Audit = 4 });

pub struct Audit;
handler!(Audit, OfficeId::Audits);

fn main() {}
