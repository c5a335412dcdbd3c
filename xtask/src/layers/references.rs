//! Which file of a crate uses what of which other.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ImplItem, Item, ItemUse, Macro, Path, VisRestricted, Visibility};

use super::cycles::Graph;
use super::declarations::{attributes, imports, is_test};
use super::modules::{Crate, Target};

/// The files, and an edge from each to those that define what it names.
///
/// A `mod` is no edge, nor is a re-export from a module within: who names what is re-exported has
/// an edge to the file that defines it.
pub(super) fn graph(sources: &Crate) -> Graph {
    let names = sources.files.iter().map(|file| file.name.clone()).collect();
    let mut graph = Graph::new(names);
    for (index, file) in sources.files.iter().enumerate() {
        let mut references =
            References { sources, file: index, module: file.module, graph: &mut graph };
        references.visit_file(&file.syntax);
    }
    graph
}

struct References<'a> {
    sources: &'a Crate,
    file: usize,
    module: usize,
    graph: &'a mut Graph,
}

impl<'ast> Visit<'ast> for References<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test(attributes(item)) {
            return;
        }
        let Item::Mod(module) = item else { return visit::visit_item(self, item) };
        let Some((_, items)) = &module.content else { return };
        let name = module.ident.to_string();
        let Some(inner) = self.sources.inline_module(self.module, &name) else { return };
        let outer = std::mem::replace(&mut self.module, inner);
        items.iter().for_each(|item| self.visit_item(item));
        self.module = outer;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Const(item) => &item.attrs,
            _ => return visit::visit_impl_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_private = matches!(item.vis, Visibility::Inherited);
        for import in imports(&item.tree) {
            match self.sources.resolve(self.module, &import.path) {
                Some(Target::File(file))
                    if !is_private && self.sources.is_within(file, self.module) => {}
                Some(Target::File(file)) => self.add(file, &import.path),
                _ => {}
            }
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let path: Vec<String> = path.segments.iter().map(|it| it.ident.to_string()).collect();
            self.refer(&path);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invoked: &'ast Macro) {
        self.visit_path(&invoked.path);
        if let Some(name) = invoked.path.get_ident().map(ToString::to_string)
            && let Some(file) = self.sources.macro_file(self.module, &name)
        {
            self.add(file, &[name]);
        }
        self.visit_tokens(invoked.tokens.clone());
    }

    /// `pub(in path)` is no reference.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

impl References<'_> {
    /// Finds paths in what a macro is given.
    fn visit_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut before = String::new();
        for token in tokens {
            let text = match &token {
                TokenTree::Ident(ident) => ident.to_string(),
                TokenTree::Punct(punct) => punct.as_char().to_string(),
                TokenTree::Group(_) | TokenTree::Literal(_) => String::new(),
            };
            if matches!(token, TokenTree::Ident(_)) {
                if !before.ends_with("::") || path.is_empty() {
                    self.refer_from_tokens(&mut path);
                }
                // A field's or method's name, a lifetime and another crate's path are none of ours.
                if !(before.ends_with(['.', '\'']) || before == "::") || !path.is_empty() {
                    path.push(text.clone());
                }
                before.clear();
            } else if text == ":" {
                before.push(':');
            } else {
                self.refer_from_tokens(&mut path);
                before = text;
            }
            if let TokenTree::Group(group) = token {
                self.refer_from_tokens(&mut path);
                self.visit_tokens(group.stream());
            }
        }
        self.refer_from_tokens(&mut path);
    }

    fn refer_from_tokens(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if !path.is_empty() {
            self.refer(&path);
        }
    }

    fn refer(&mut self, path: &[String]) {
        if let Some(Target::File(file)) = self.sources.resolve(self.module, path) {
            self.add(file, path);
        }
    }

    fn add(&mut self, file: usize, path: &[String]) {
        self.graph.add(self.file, file, path.last().map_or("", String::as_str));
    }
}
