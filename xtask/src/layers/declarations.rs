//! What a module declares: names, imports, modules.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, ForeignItem, Item, Lit, Meta, UseTree};

use super::modules::Name;

/// The declarations of a module, those in bodies of functions included.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) names: BTreeMap<String, Vec<Name>>,
    pub(super) globs: Vec<Vec<String>>,
    pub(super) modules: Vec<Child>,
}

/// A module in a module.
pub(super) struct Child {
    pub(super) name: String,
    /// Of an inline module.
    pub(super) content: Option<Declared>,
    /// What `#[path]` says.
    pub(super) path_attribute: Option<String>,
}

/// A path of a `use`, and the name that it gives; none of a glob.
pub(super) struct Import {
    pub(super) path: Vec<String>,
    pub(super) name: Option<String>,
}

/// The declarations of these items.
pub(super) fn of(items: &[Item]) -> Declared {
    let mut declared = Declared::default();
    for item in items {
        declared.visit_item(item);
    }
    declared
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test(attributes(item)) {
            return;
        }
        match item {
            Item::Mod(module) => {
                let child = Child {
                    name: module.ident.to_string(),
                    content: module.content.as_ref().map(|(_, items)| of(items)),
                    path_attribute: path_attribute(&module.attrs),
                };
                self.modules.push(child);
                return;
            }
            Item::Use(item) => {
                for import in imports(&item.tree) {
                    match import.name {
                        Some(name) => self.add(name, Name::Import(import.path)),
                        None => self.globs.push(import.path),
                    }
                }
            }
            Item::Macro(item) => match &item.ident {
                Some(name) => self.add(name.to_string(), Name::Macro),
                None => self.add_made(item.mac.tokens.clone()),
            },
            Item::ForeignMod(items) => {
                for item in &items.items {
                    let name = match item {
                        ForeignItem::Fn(item) => &item.sig.ident,
                        ForeignItem::Static(item) => &item.ident,
                        ForeignItem::Type(item) => &item.ident,
                        _ => continue,
                    };
                    self.add(name.to_string(), Name::Item);
                }
            }
            _ => {
                if let Some(name) = name(item) {
                    self.add(name, Name::Item);
                }
            }
        }
        visit::visit_item(self, item);
    }
}

impl Declared {
    fn add(&mut self, name: String, meaning: Name) {
        self.names.entry(name).or_default().push(meaning);
    }

    /// Adds the items that a macro is given, such as `struct Flags` to `bitflags!`.
    fn add_made(&mut self, tokens: TokenStream) {
        let mut is_name = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    let word = ident.to_string();
                    if is_name {
                        self.add(word.clone(), Name::Item);
                    }
                    let keywords = ["const", "enum", "fn", "static", "struct", "trait", "type"];
                    is_name = keywords.contains(&word.as_str()) || word == "union";
                }
                TokenTree::Group(group) => {
                    is_name = false;
                    self.add_made(group.stream());
                }
                _ => is_name = false,
            }
        }
    }
}

/// All paths of a `use`.
pub(super) fn imports(tree: &UseTree) -> Vec<Import> {
    let mut imports = Vec::new();
    collect(tree, &mut Vec::new(), &mut imports);
    imports
}

fn collect(tree: &UseTree, path: &mut Vec<String>, imports: &mut Vec<Import>) {
    match tree {
        UseTree::Path(tree) => {
            path.push(tree.ident.to_string());
            collect(&tree.tree, path, imports);
            path.pop();
        }
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| collect(tree, path, imports));
        }
        UseTree::Glob(_) => imports.push(Import { path: path.clone(), name: None }),
        UseTree::Name(tree) => add_import(path, &tree.ident.to_string(), None, imports),
        UseTree::Rename(tree) => {
            add_import(path, &tree.ident.to_string(), Some(tree.rename.to_string()), imports);
        }
    }
}

fn add_import(path: &[String], last: &str, rename: Option<String>, imports: &mut Vec<Import>) {
    let mut path = path.to_vec();
    // `use a::{self}` imports `a`.
    if last != "self" || path.is_empty() {
        path.push(last.to_owned());
    }
    let name = rename.or_else(|| path.last().cloned());
    imports.push(Import { path, name });
}

/// Whether something is compiled for tests only.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        path.is_ident("test")
            || path.is_ident("cfg")
                && attribute.parse_args::<Meta>().is_ok_and(|condition| needs_test(&condition))
    })
}

/// Whether a condition of `cfg` holds for tests only.
fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else { return condition.path().is_ident("test") };
    let parser = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
    let Ok(conditions) = list.parse_args_with(parser) else { return false };
    if list.path.is_ident("all") {
        conditions.iter().any(needs_test)
    } else {
        list.path.is_ident("any") && !conditions.is_empty() && conditions.iter().all(needs_test)
    }
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("path") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
