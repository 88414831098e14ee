//! Names become tokens of subjects, and back.

use proptest::prelude::*;
use rust_messenger_nats::protocol::{NameError, Names, Subject, escape, unescape};

proptest! {
    #[test]
    fn a_token_is_one_name_and_means_nothing_to_nats(name in any::<String>(), other in any::<String>()) {
        let token = escape(&name);
        prop_assert!(!token.is_empty());
        prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-=".contains(&b)), "{token}");
        prop_assert_eq!(unescape(&token), Some(name.clone()));
        prop_assert_eq!(name == other, token == escape(&other));
    }

    #[test]
    fn no_two_tokens_are_one_name(token in "[A-Za-z0-9_=.*> -]{0,12}") {
        if let Some(name) = unescape(&token) {
            prop_assert_eq!(escape(&name), token);
        }
    }

    #[test]
    fn a_subject_is_read_as_it_was_written(names in proptest::array::uniform4("[^\\s]{1,8}")) {
        let [system, node, handler, message] = names;
        let names = Names::new(&system, &node).unwrap();
        for subject in [names.message(&handler, &message), names.hello()] {
            let text = subject.to_string();
            prop_assert!(!text.contains([' ', '*', '>']), "{text}");
            prop_assert_eq!(Subject::parse(&text).unwrap(), subject);
        }
        prop_assert!(!names.stream().contains(['.', '*', '>', '/', '\\', ' ']));
    }

    #[test]
    fn any_text_is_a_subject_or_none(text in any::<String>()) {
        if let Ok(subject) = Subject::parse(&text) {
            prop_assert_eq!(subject.to_string(), text);
        }
    }
}

#[test]
fn two_streams_have_two_names() {
    let stream = |system, node| Names::new(system, node).unwrap().stream();
    assert_ne!(stream("a", "b+c"), stream("a+b", "c"));
    assert_ne!(stream("a", "B"), stream("a", "b"));
}

#[test]
fn names_are_neither_empty_nor_endless() {
    assert_eq!(Names::new("", "node"), Err(NameError::Empty));
    assert_eq!(Names::new("system", ""), Err(NameError::Empty));
    assert!(Names::new("system", &"n".repeat(100)).is_ok());
    let long = "ä".repeat(17); // Six bytes each, escaped.
    assert_eq!(Names::new("system", &long), Err(NameError::TooLong { name: long, most: 100 }));
}

#[test]
fn a_hello_is_no_message_of_any_name() {
    let names = Names::new("shop", "till").unwrap();
    assert_eq!(names.hello().to_string(), "shop.till.$hello");
    assert_eq!(names.message("$hello", "x").to_string(), "shop.till.=24hello.x");
    for other in ["shop.till", "shop.till.hello", "shop.till.A.B.C", "shop.till.A.>", "shop.till.A.", ""] {
        assert_eq!(Subject::parse(other), Err(NameError::NotOurs(other.to_owned())));
    }
}

#[test]
fn compilers_may_differ_in_spaces() {
    let names = Names::new("shop", "till").unwrap();
    assert_eq!(names.message("Gate", "FromClient < Say >"), names.message("Gate", "FromClient<Say>"));
    assert_ne!(names.message("Gate", "dyn Say"), names.message("Gate", "dynSay"));
}
