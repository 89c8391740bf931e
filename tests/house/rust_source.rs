//! What the rules need to know about one Rust file: its functions, the paths it mentions, and which lines are tests.
//!
//! Paths are read from the token stream, so that comments and strings never match, and a group such as
//! `use std::{fs, time::Instant}` counts as `std::fs` and `std::time::Instant`, inside macros too.

use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A path as the source writes it (`std::fs::read`, `todo`), with groups of imports spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) path: String,
    pub(crate) line: usize,
    /// Whether a `!` follows, as after the name of a macro.
    pub(crate) bang: bool,
}

impl Mention {
    /// Whether this is `path` itself or something below it.
    pub(crate) fn is_within(&self, path: &str) -> bool {
        self.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }

    /// Whether this ends in the segments of `path`.
    pub(crate) fn ends_with(&self, path: &str) -> bool {
        self.path.strip_suffix(path).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
    }
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// Lines from the signature to the closing brace.
    pub(crate) lines: usize,
}

/// One Rust file, as far as the rules look.
#[derive(Clone, Debug)]
pub(crate) struct RustSource {
    /// Relative to the repository, with `/`.
    pub(crate) file: String,
    /// Whether the whole file is tests (or a benchmark).
    pub(crate) is_test: bool,
    pub(crate) opens_with_documentation: bool,
    pub(crate) functions: Vec<Function>,
    pub(crate) mentions: Vec<Mention>,
    /// Lines of `#[allow(…)]`, inner, outer and in `cfg_attr`.
    pub(crate) allows: Vec<usize>,
    /// Names that the file gives to modules.
    pub(crate) modules: Vec<(String, usize)>,
    pub(crate) strings: Vec<String>,
    pub(crate) forbids_unsafe: bool,
    /// The tokens, each followed by a space, without literals (and so without documentation).
    pub(crate) code: String,
    line_count: usize,
    test_lines: Vec<RangeInclusive<usize>>,
    /// Modules declared by `#[cfg(test)] mod name;`.
    test_modules: Vec<String>,
}

impl RustSource {
    pub(crate) fn read(file: &str, text: &str) -> Result<Self, syn::Error> {
        let syntax = syn::parse_file(text)?;
        let mut source = Self {
            file: file.to_owned(),
            is_test: file.split('/').rev().skip(1).any(|folder| folder == "tests" || folder == "benches"),
            opens_with_documentation: text.starts_with("//!"),
            functions: Vec::new(),
            mentions: Vec::new(),
            allows: Vec::new(),
            modules: Vec::new(),
            strings: Vec::new(),
            forbids_unsafe: syntax.attrs.iter().any(forbids_unsafe),
            code: String::new(),
            line_count: text.lines().count(),
            test_lines: Vec::new(),
            test_modules: Vec::new(),
        };
        Items { source: &mut source }.visit_file(&syntax);
        let tokens: TokenStream = text.parse().map_err(|error| syn::Error::new(syntax.span(), error))?;
        write_code(tokens.clone(), &mut source.code);
        source.read_tokens(tokens, "");
        Ok(source)
    }

    /// Whether `line` belongs to tests.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.is_test || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// How many lines the file has beside its test modules; all of them in a file of tests.
    pub(crate) fn own_line_count(&self) -> usize {
        let in_tests = |line: &usize| self.test_lines.iter().any(|lines| lines.contains(line));
        (1..=self.line_count).filter(|line| !in_tests(line)).count()
    }

    /// The mentions outside of tests.
    pub(crate) fn own_mentions(&self) -> impl Iterator<Item = &Mention> {
        self.mentions.iter().filter(|mention| !self.is_test_line(mention.line))
    }

    fn read_tokens(&mut self, tokens: TokenStream, prefix: &str) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut next = 0;
        while let Some(tree) = trees.get(next) {
            match tree {
                TokenTree::Ident(_) => next = self.read_path(&trees, next, prefix),
                TokenTree::Group(group) => {
                    if is_attribute(&trees, next) && allows_a_lint(group) {
                        self.allows.push(group.span_open().start().line);
                    }
                    self.read_tokens(group.stream(), "");
                    next += 1;
                }
                TokenTree::Literal(literal) => {
                    self.strings.push(literal.to_string());
                    next += 1;
                }
                TokenTree::Punct(_) => next += 1,
            }
        }
    }

    /// Reads the path that starts at `start`; returns where to go on.
    fn read_path(&mut self, trees: &[TokenTree], start: usize, prefix: &str) -> usize {
        let line = trees[start].span().start().line;
        let mut path = prefix.to_owned();
        let mut next = start;
        loop {
            path.push_str(&trees[next].to_string());
            next += 1;
            if !is_path_separator(trees, next) {
                break;
            }
            match trees.get(next + 2) {
                Some(TokenTree::Ident(_)) => {
                    path.push_str("::");
                    next += 2;
                }
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    path.push_str("::");
                    self.read_tokens(group.stream(), &path);
                    return next + 3;
                }
                _ => break,
            }
        }
        let bang = matches!(trees.get(next), Some(TokenTree::Punct(punct)) if punct.as_char() == '!');
        self.mentions.push(Mention { path, line, bang });
        next
    }
}

/// Marks the files that other files declare as `#[cfg(test)] mod name;`.
pub(crate) fn mark_test_modules(sources: &mut [RustSource]) {
    let test_modules: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            let (folder, name) = source.file.rsplit_once('/').unwrap_or(("", &source.file));
            let folder = match name {
                "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
                _ => format!("{folder}/{}", name.trim_end_matches(".rs")),
            };
            source.test_modules.iter().map(move |module| format!("{folder}/{module}"))
        })
        .collect();
    for source in sources {
        source.is_test |= test_modules.iter().any(|module| {
            source
                .file
                .strip_prefix(module.as_str())
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
    }
}

fn write_code(tokens: TokenStream, code: &mut String) {
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => write_code(group.stream(), code),
            TokenTree::Ident(_) | TokenTree::Punct(_) => {
                code.push_str(&tree.to_string());
                code.push(' ');
            }
            TokenTree::Literal(_) => {}
        }
    }
}

fn is_path_separator(trees: &[TokenTree], at: usize) -> bool {
    let colon = |index: usize| match trees.get(index) {
        Some(TokenTree::Punct(punct)) if punct.as_char() == ':' => Some(punct.spacing()),
        _ => None,
    };
    colon(at) == Some(Spacing::Joint) && colon(at + 1).is_some()
}

fn is_attribute(trees: &[TokenTree], group: usize) -> bool {
    let punct = |index: Option<usize>| match index.and_then(|index| trees.get(index)) {
        Some(TokenTree::Punct(punct)) => Some(punct.as_char()),
        _ => None,
    };
    match punct(group.checked_sub(1)) {
        Some('#') => true,
        Some('!') => punct(group.checked_sub(2)) == Some('#'),
        _ => false,
    }
}

/// Whether the brackets of an attribute hold `allow(…)`, by itself or inside `cfg_attr(…)`.
fn allows_a_lint(attribute: &Group) -> bool {
    let mut trees = attribute.stream().into_iter();
    match trees.next() {
        Some(TokenTree::Ident(name)) if name == "allow" => true,
        Some(TokenTree::Ident(name)) if name == "cfg_attr" => trees.any(|tree| match tree {
            TokenTree::Group(group) => group
                .stream()
                .into_iter()
                .any(|tree| matches!(tree, TokenTree::Ident(name) if name == "allow")),
            _ => false,
        }),
        _ => false,
    }
}

fn forbids_unsafe(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("forbid")
        && attribute.parse_args::<syn::Path>().is_ok_and(|lint| lint.is_ident("unsafe_code"))
}

fn is_only_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

fn item_attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Collects what only the syntax tree tells: functions, modules, and the lines of tests.
struct Items<'a> {
    source: &'a mut RustSource,
}

impl Items<'_> {
    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let line = signature.span().start().line;
        let end = body.brace_token.span.close().end().line;
        self.source.functions.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: end + 1 - line,
        });
    }
}

impl<'ast> Visit<'ast> for Items<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_only_for_tests(item_attributes(item)) {
            let span = item.span();
            self.source.test_lines.push(span.start().line..=span.end().line);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let name = module.ident.to_string();
        if module.content.is_none() && is_only_for_tests(&module.attrs) {
            self.source.test_modules.push(name.clone());
        }
        self.source.modules.push((name, module.ident.span().start().line));
        visit::visit_item_mod(self, module);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.function(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let source = RustSource::read("sample.rs", text).unwrap();
        source.mentions.into_iter().map(|mention| mention.path).collect()
    }

    #[test]
    fn grouped_imports_are_spelled_out() {
        let found = paths("use std::{fs, time::{Duration, Instant as Now}};");
        for path in ["std::fs", "std::time::Duration", "std::time::Instant"] {
            assert!(found.iter().any(|known| known == path), "{path} not in {found:?}");
        }
    }

    #[test]
    fn comments_and_strings_are_no_mentions_and_macro_arguments_are() {
        let found = paths("/* std::fs */ fn f() { g!(a, std::net::UdpSocket::bind(\"std::thread\")); }");
        assert!(found.contains(&"std::net::UdpSocket::bind".to_owned()));
        assert!(!found.iter().any(|path| path.contains("std::fs") || path.contains("std::thread")));
    }

    #[test]
    fn test_modules_do_not_count_as_own_lines() {
        let text = "//! Doc.\nfn f() {\n}\n\n/// Tests.\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        let source = RustSource::read("crates/a/src/lib.rs", text).unwrap();
        assert_eq!(source.own_line_count(), 4);
        assert!(source.is_test_line(8) && !source.is_test_line(2));
        let lengths: Vec<_> =
            source.functions.iter().map(|found| (found.name.as_str(), found.lines)).collect();
        assert_eq!(lengths, [("f", 2), ("g", 1)]);
    }

    #[test]
    fn a_file_declared_as_a_test_module_is_a_test() {
        let read = |file: &str, text: &str| RustSource::read(file, text).unwrap();
        let mut sources = [
            read("a/src/lib.rs", "#[cfg(test)] mod checks; mod other;"),
            read("a/src/checks.rs", "mod inner;"),
            read("a/src/checks/inner.rs", ""),
            read("a/src/other.rs", "#[cfg(test)] mod deep;"),
            read("a/src/other/deep.rs", ""),
            read("a/src/deep.rs", ""),
            read("a/tests/whole.rs", ""),
        ];
        mark_test_modules(&mut sources);
        let tests: Vec<bool> = sources.iter().map(|source| source.is_test).collect();
        assert_eq!(tests, [false, true, true, false, true, false, true]);
    }

    #[test]
    fn allow_is_seen_wherever_it_can_stand() {
        let text = "#![allow(dead_code)]\n#[expect(a)]\n#[allow(b)]\nfn f() {}\n#[cfg_attr(x, allow(c))]\nfn allow() {}\n";
        assert_eq!(RustSource::read("a.rs", text).unwrap().allows, [1, 3, 5]);
    }

    #[test]
    fn forbidding_unsafe_code_is_seen() {
        assert!(RustSource::read("a.rs", "#![forbid(unsafe_code)]").unwrap().forbids_unsafe);
        assert!(!RustSource::read("a.rs", "#![deny(unsafe_code)]").unwrap().forbids_unsafe);
    }
}
