//! The templates' engine, set up once for all languages.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// A template by its name and its text.
pub(crate) type Template = (&'static str, &'static str);

/// Renders a template. A name that is not in `context` is a fault of the template, which every use of it shows.
pub(crate) fn render(templates: &[Template], name: &str, context: impl Serialize) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("only how blanks are treated is set"));
    for &(name, text) in templates {
        environment.add_template(name, text).expect("the template is well-formed");
    }
    let template = environment.get_template(name).expect("the template is there");
    template.render(Serde(context)).expect("the context has all that the template names")
}
