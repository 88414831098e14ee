//! Which file names which: every path of the source, followed through `use`s to the file in which it ends.
//!
//! Code that only tests compile is left out. In the bodies of macros every path is followed that could be one. What is
//! named without a path (a method, a field, a trait's item) is not seen; the type it belongs to was.

use crate::house::File;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeSet, HashMap, HashSet};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, Token, UseTree, Visibility};

type Path = Vec<String>;

/// How many imports of imports are followed.
const DEEP: usize = 16;

/// That a file names something that is in another one.
#[derive(Debug)]
pub struct Edge {
    pub from: String,
    pub line: usize,
    /// As it is written.
    pub path: String,
    pub to: String,
}

/// What is known of the files.
pub struct Names {
    modules: HashMap<Path, Module>,
    /// Macros that are at the root, wherever they were written.
    exported: HashMap<String, String>,
    mentions: Vec<Mention>,
    /// The files that only tests compile.
    tests: HashSet<Path>,
    /// The files that have no code: they declare modules, and pass on what is in them.
    faces: HashSet<String>,
}

#[derive(Default)]
struct Module {
    file: String,
    items: HashSet<String>,
    imports: Vec<(String, Path)>,
    globs: Vec<Path>,
}

struct Mention {
    file: String,
    line: usize,
    scope: Path,
    path: Path,
    /// A `pub use` of what is in a module below: nothing of it is used here.
    is_passed_on: bool,
}

impl Names {
    pub fn of<'a>(files: impl IntoIterator<Item = &'a File>) -> Names {
        let mut names = Names {
            modules: HashMap::new(),
            exported: HashMap::new(),
            mentions: Vec::new(),
            tests: HashSet::new(),
            faces: HashSet::new(),
        };
        for file in files {
            let syntax = syn::parse_file(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path));
            if syntax.items.iter().all(is_face) {
                names.faces.insert(file.path.clone());
            }
            let mut reading = Reading { file: &file.path, scope: module_of(&file.path), names: &mut names };
            reading.open_module();
            reading.visit_file(&syntax);
        }
        names
    }

    /// Whether the file has no code of its own.
    pub fn is_face(&self, path: &str) -> bool {
        self.faces.contains(path)
    }

    /// Whether only tests compile the file.
    pub fn is_test(&self, path: &str) -> bool {
        let module = module_of(path);
        (1..=module.len()).any(|end| self.tests.contains(&module[..end]))
    }

    /// Every path that ends in another file than the one it is in.
    pub fn edges(&self) -> Vec<Edge> {
        let mentions = self.mentions.iter().filter(|mention| !mention.is_passed_on && !self.is_test(&mention.file));
        let edges = mentions.flat_map(|mention| {
            let ends = self.ends_of(&mention.path, &mention.scope, 0).into_iter().filter(|to| *to != mention.file);
            ends.map(|to| Edge {
                from: mention.file.clone(),
                line: mention.line,
                path: mention.path.join("::"),
                to: to.to_owned(),
            })
        });
        edges.collect()
    }

    /// The file in which a path ends that stands in the module `scope`; none if that is another crate's, several if it
    /// depends on a `cfg`.
    fn ends_of(&self, path: &[String], scope: &[String], depth: usize) -> Vec<&str> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        match first.as_str() {
            "crate" => self.ends_below(&[], rest, depth),
            "self" => self.ends_below(scope, rest, depth),
            "super" => {
                let supers = path.iter().take_while(|segment| *segment == "super").count();
                self.ends_below(&scope[..scope.len().saturating_sub(supers)], &path[supers..], depth)
            }
            // A word by itself may be a variable that is called like a module.
            name if rest.is_empty() && self.modules.contains_key(&child(scope, name)) => Vec::new(),
            name if self.has(scope, name, depth) => self.ends_below(scope, path, depth),
            _ => Vec::new(),
        }
    }

    /// The same for a path that goes on in `module`.
    fn ends_below(&self, module: &[String], path: &[String], depth: usize) -> Vec<&str> {
        let Some(here) = self.modules.get(module) else { return Vec::new() };
        let Some((first, rest)) = path.split_first() else { return vec![&here.file] };
        // An import that names itself leads nowhere, and is the compiler's to refuse.
        if depth > DEEP {
            return Vec::new();
        }
        let below = child(module, first);
        if self.modules.contains_key(&below) {
            return self.ends_below(&below, rest, depth + 1);
        }
        if here.items.contains(first) {
            return vec![&here.file];
        }
        if let Some(exported) = self.exported.get(first).filter(|_| module.is_empty()) {
            return vec![exported];
        }
        let imports = here.imports.iter().filter(|(name, _)| name == first).map(|(_, path)| path.clone());
        let globs = here.globs.iter().filter(|glob| self.glob_has(glob, module, first, depth + 1));
        let globs = globs.map(|glob| child(glob, first));
        let found: BTreeSet<&str> =
            imports.chain(globs).flat_map(|path| self.ends_of(&[&path, rest].concat(), module, depth + 1)).collect();
        // What comes from another crate comes through this door.
        if found.is_empty() { vec![&here.file] } else { found.into_iter().collect() }
    }

    fn has(&self, module: &[String], name: &str, depth: usize) -> bool {
        let Some(here) = self.modules.get(module) else { return false };
        depth <= DEEP
            && (self.modules.contains_key(&child(module, name))
                || here.items.contains(name)
                || here.imports.iter().any(|(import, _)| import == name)
                || here.globs.iter().any(|glob| self.glob_has(glob, module, name, depth + 1)))
    }

    /// Whether a glob import that stands in `scope` brings `name`.
    fn glob_has(&self, glob: &[String], scope: &[String], name: &str, depth: usize) -> bool {
        let supers = glob.iter().take_while(|segment| *segment == "super").count();
        let module: Path = match glob.first().map(String::as_str) {
            Some("crate") => glob[1..].to_vec(),
            Some("self") => [scope, &glob[1..]].concat(),
            Some("super") => [&scope[..scope.len().saturating_sub(supers)], &glob[supers..]].concat(),
            _ => [scope, glob].concat(),
        };
        self.has(&module, name, depth)
    }
}

fn child(module: &[String], name: &str) -> Path {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

fn module_of(path: &str) -> Path {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if inside == "lib" { Vec::new() } else { inside.split('/').map(str::to_owned).collect() }
}

fn is_face(item: &Item) -> bool {
    match item {
        Item::Mod(module) => module.content.is_none() || is_for_tests(&module.attrs),
        Item::Use(item) => !matches!(item.vis, Visibility::Inherited),
        _ => false,
    }
}

/// Whether `cfg` leaves it out of everything but tests.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    fn asks_for_test(meta: &Meta) -> bool {
        match meta {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("all") => list
                .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .is_ok_and(|parts| parts.iter().any(asks_for_test)),
            _ => false,
        }
    }
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(|meta| asks_for_test(&meta))
    })
}

/// One file, on the way through it.
struct Reading<'a> {
    file: &'a str,
    scope: Path,
    names: &'a mut Names,
}

impl Reading<'_> {
    fn open_module(&mut self) -> &mut Module {
        let module = self.names.modules.entry(self.scope.clone()).or_default();
        module.file = self.file.to_owned();
        module
    }

    fn mention(&mut self, path: Path, line: usize, is_passed_on: bool) {
        let (file, scope) = (self.file.to_owned(), self.scope.clone());
        self.names.mentions.push(Mention { file, line, scope, path, is_passed_on });
    }

    fn import(&mut self, tree: &UseTree, before: &Path, is_public: bool) {
        let mut path = before.clone();
        let (name, ident) = match tree {
            UseTree::Path(next) => {
                path.push(word(&next.ident));
                return self.import(&next.tree, &path, is_public);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, before, is_public));
            }
            UseTree::Glob(star) => {
                let line = star.star_token.spans[0].start().line;
                let is_passed_on = is_public && self.is_below(&path);
                self.mention(path.clone(), line, is_passed_on);
                self.open_module().globs.push(path);
                return;
            }
            UseTree::Name(name) => (&name.ident, &name.ident),
            UseTree::Rename(renamed) => (&renamed.rename, &renamed.ident),
        };
        let mut name = word(name);
        if ident == "self" {
            name = if name == "self" { path.last().cloned().unwrap_or_default() } else { name };
        } else {
            path.push(word(ident));
        }
        let is_passed_on = is_public && self.is_below(&path);
        self.mention(path.clone(), ident.span().start().line, is_passed_on);
        if path.first().is_some_and(|first| *first != name) || path.len() > 1 {
            self.open_module().imports.push((name, path));
        }
    }

    /// Whether the path leads from the module it stands in downwards.
    fn is_below(&self, path: &[String]) -> bool {
        match path.first().map(String::as_str) {
            Some("crate") => path.len() > self.scope.len() + 1 && path[1..].starts_with(&self.scope),
            Some("super") | None => false,
            Some(_) => true,
        }
    }

    /// Every path among the tokens of a macro.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.read_tokens(group.stream()),
                TokenTree::Ident(first) => {
                    // A field, a method, a lifetime; what is behind a type in `<>`, or another crate's.
                    let is_behind = |text: &str| {
                        let before = at.checked_sub(text.len()).and_then(|from| tokens.get(from..at));
                        before
                            .is_some_and(|before| before.iter().zip(text.chars()).all(|(token, c)| is_punct(token, c)))
                    };
                    if !is_behind(".") && !is_behind("'") && !is_behind("::") {
                        at = self.read_path(&tokens, at, &Vec::new(), first.span().start().line);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// The path, or the paths of the use tree, from `at` on; returns the index of its last token.
    fn read_path(&mut self, tokens: &[TokenTree], mut at: usize, before: &Path, line: usize) -> usize {
        let mut path = before.clone();
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(ident)) => path.push(word(ident)),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    let branches: Vec<TokenTree> = group.stream().into_iter().collect();
                    for branch in branches.split(|token| is_punct(token, ',')).filter(|branch| !branch.is_empty()) {
                        self.read_path(branch, 0, &path, line);
                    }
                    return at;
                }
                _ => break,
            }
            let is_followed =
                tokens.get(at + 1..at + 3).is_some_and(|next| next.iter().all(|token| is_punct(token, ':')));
            if !is_followed {
                at += 1;
                break;
            }
            at += 3;
        }
        // `pub(super)`, and `pub(in super::super)`.
        if !path.iter().all(|word| matches!(&**word, "in" | "crate" | "self" | "super")) {
            self.mention(path, line, false);
        }
        at - 1
    }
}

fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}

fn word(ident: &syn::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

impl<'ast> Visit<'ast> for Reading<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Const(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            Item::Impl(item) => (&item.attrs, None),
            Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            Item::Mod(item) => (&item.attrs, None),
            Item::Static(item) => (&item.attrs, Some(&item.ident)),
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Union(item) => (&item.attrs, Some(&item.ident)),
            Item::Use(item) => (&item.attrs, None),
            other => return visit::visit_item(self, other),
        };
        if is_for_tests(attributes) {
            if let Item::Mod(module) = item {
                self.names.tests.insert(child(&self.scope, &word(&module.ident)));
            }
            return;
        }
        if let Some(name) = name {
            self.open_module().items.insert(word(name));
            if attributes.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
                self.names.exported.insert(word(name), self.file.to_owned());
            }
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(function) if is_for_tests(&function.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let Some((_, items)) = &module.content else { return };
        self.scope.push(word(&module.ident));
        self.open_module();
        items.iter().for_each(|item| self.visit_item(item));
        self.scope.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&item.tree, &Vec::new(), !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let (None, Some(first)) = (&path.leading_colon, path.segments.first()) {
            let line = first.ident.span().start().line;
            self.mention(path.segments.iter().map(|segment| word(&segment.ident)).collect(), line, false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.read_tokens(call.tokens.clone());
    }

    // What may see an item is no use of it, and attributes name nothing of the crate's.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}
