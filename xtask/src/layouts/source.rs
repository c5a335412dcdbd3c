//! The declarations of nt-sys: every `repr(C)` struct and union in its sources.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use syn::{Attribute, Fields, Item};

use super::names::{self, Member};

/// A struct or union of nt-sys.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// The path in nt-sys: `ndis::NET_BUFFER`.
    pub(super) path: String,
    /// Whether it exists on x64 only.
    pub(super) is_x64_alone: bool,
    /// Without padding.
    pub(super) fields: Vec<String>,
}

impl Declared {
    /// The name without its module.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }

    /// The fields that C has as well.
    pub(super) fn members(&self) -> impl Iterator<Item = &String> {
        let is_padding =
            |field: &str| names::exception(self.name(), field) == Some(Member::Padding);
        self.fields.iter().filter(move |field| !is_padding(field))
    }
}

/// Reads every file of a folder of sources, in the order of their names.
pub(super) fn read(sources: &Path) -> Result<Vec<Declared>> {
    let mut declared = Vec::new();
    read_folder(sources, None, &mut declared)?;
    Ok(declared)
}

fn read_folder(folder: &Path, module: Option<&str>, declared: &mut Vec<Declared>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()));
    let mut paths = Vec::new();
    for entry in entries? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        // A folder's module re-exports the contents of its files.
        let module = module.unwrap_or(&stem);
        if path.is_dir() {
            read_folder(&path, Some(module), declared)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            parse(module, &text, declared).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// Finds the types of one file.
pub(super) fn parse(module: &str, text: &str, declared: &mut Vec<Declared>) -> Result<()> {
    for item in syn::parse_file(text)?.items {
        let (name, attributes, fields) = match item {
            Item::Struct(item) => (item.ident, item.attrs, item.fields),
            Item::Union(item) => (item.ident, item.attrs, Fields::Named(item.fields)),
            _ => continue,
        };
        if !is_c(&attributes)? {
            bail!("{name} is not repr(C)");
        }
        let fields: Vec<String> =
            fields.iter().filter_map(|field| Some(field.ident.as_ref()?.to_string())).collect();
        if fields.iter().all(|field| field.starts_with('_')) {
            // Opaque, or padding.
            continue;
        }
        let fields = fields.into_iter().filter(|field| !field.starts_with('_')).collect();
        let is_x64_alone = attributes.iter().any(|attribute| attribute.path().is_ident("cfg"));
        declared.push(Declared { path: format!("{module}::{name}"), is_x64_alone, fields });
    }
    Ok(())
}

fn is_c(attributes: &[Attribute]) -> Result<bool> {
    let mut is_c = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            is_c |= meta.path.is_ident("C");
            if meta.input.peek(syn::token::Paren) {
                let _: proc_macro2::Group = meta.input.parse()?;
            }
            Ok(())
        })?;
    }
    Ok(is_c)
}
