//! The house rules of the source, as tests: which file may name which, and habits that no lint knows.
//!
//! A rule is a function from files to complaints. Beside it stand a test that it holds, and one that feeds it snippets
//! that break it, so that none of them passes because it looks at nothing. `syn` reads what is about names; what is
//! about comments and looks goes by lines.

// Clippy takes the snippets for comments.
#![allow(clippy::unnecessary_safety_comment)]
#![cfg(not(miri))] // Reads files and text only; there is nothing in it for Miri to find.

#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/habits.rs"]
mod habits;
#[path = "tidy/house.rs"]
mod house;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/orderings.rs"]
mod orderings;
#[path = "tidy/scripts.rs"]
mod scripts;
#[path = "tidy/text.rs"]
mod text;
