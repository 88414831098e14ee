//! The cookbook: small programs, one for each task, each in a file of its own. As the `main.rs` of a crate of yours a
//! recipe's `main` takes no arguments, but asks `std::env::args`.
//!
//! ```sh
//! cargo run --example cookbook -- request_reply
//! ```

mod config_file;
mod ctrl_c;
#[cfg(feature = "async")]
mod data_from_task;
mod data_from_thread;
mod data_to_main;
mod generic_handlers;
mod one_thread;
mod request_reply;
mod several_crates;
mod two_tables;

type Main = fn(&[String]) -> Result<(), Box<dyn std::error::Error>>;

const RECIPES: &[(&str, Main)] = &[
    ("config_file", config_file::main),
    ("ctrl_c", ctrl_c::main),
    #[cfg(feature = "async")]
    ("data_from_task", data_from_task::main),
    ("data_from_thread", data_from_thread::main),
    ("data_to_main", data_to_main::main),
    ("generic_handlers", generic_handlers::main),
    ("one_thread", one_thread::main),
    ("request_reply", request_reply::main),
    ("several_crates", several_crates::main),
    ("two_tables", two_tables::main),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    match RECIPES.iter().find(|(recipe, _)| *recipe == name) {
        Some((_, main)) => main(&arguments.collect::<Vec<_>>()),
        None => Err(format!(
            "no recipe `{name}`: there are {}",
            RECIPES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        )
        .into()),
    }
}
