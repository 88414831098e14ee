//! The guide: the pages of `docs/guide`, whose code the doctests run.
#![doc = include_str!("../docs/guide/README.md")]

#[doc = include_str!("../docs/guide/changing-messages.md")]
pub mod changing_messages {}

#[doc = include_str!("../docs/guide/comparison.md")]
pub mod comparison {}

#[doc = include_str!("../docs/guide/first-table.md")]
pub mod first_table {}

#[doc = include_str!("../docs/guide/full-buses.md")]
pub mod full_buses {}

#[doc = include_str!("../docs/guide/journals.md")]
pub mod journals {}

#[doc = include_str!("../docs/guide/machines.md")]
pub mod machines {}

#[doc = include_str!("../docs/guide/messages.md")]
pub mod messages {}

#[doc = include_str!("../docs/guide/network.md")]
pub mod network {}

#[doc = include_str!("../docs/guide/processes.md")]
pub mod processes {}

#[doc = include_str!("../docs/guide/simulation.md")]
pub mod simulation {}

#[doc = include_str!("../docs/guide/snapshots.md")]
pub mod snapshots {}

#[doc = include_str!("../docs/guide/stops.md")]
pub mod stops {}

#[doc = include_str!("../docs/guide/supervision.md")]
pub mod supervision {}

#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/time.md")]
pub mod time {}

#[doc = include_str!("../docs/guide/tuning.md")]
pub mod tuning {}

#[doc = include_str!("../docs/guide/workers.md")]
pub mod workers {}
