//! The modules of a crate, and what their names mean.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::declarations;

/// The sources of a library or a program, without its tests.
pub(super) struct Crate {
    pub(super) files: Vec<File>,
    /// The root is the first.
    pub(super) modules: Vec<Module>,
}

/// A file of sources.
pub(super) struct File {
    /// From the root's folder on.
    pub(super) name: String,
    pub(super) syntax: syn::File,
    pub(super) module: usize,
}

/// A module, in a file of its own or inline.
pub(super) struct Module {
    pub(super) file: usize,
    pub(super) parent: Option<usize>,
    /// A name may be a type's, a function's and a macro's at once.
    names: BTreeMap<String, Vec<Name>>,
    /// The paths of `use …::*`.
    globs: Vec<Vec<String>>,
}

/// What a name in a module stands for.
#[derive(Clone, Debug)]
pub(super) enum Name {
    /// An item of this module.
    Item,
    /// A macro of this module, which the modules in it see as well.
    Macro,
    Module(usize),
    /// Something imported from this path.
    Import(Vec<String>),
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// An item that this file defines.
    File(usize),
    Module(usize),
    /// Something of another crate.
    Outside,
}

impl Crate {
    /// Reads a crate from its root file on.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut sources = Self { files: Vec::new(), modules: Vec::new() };
        let folder = root.parent().unwrap_or(root);
        sources.read_file(root, folder, folder, None)?;
        Ok(sources)
    }

    /// Reads the file of a module, whose own modules lie in `folder`; gives the module.
    pub(super) fn read_file(
        &mut self,
        path: &Path,
        folder: &Path,
        root: &Path,
        parent: Option<usize>,
    ) -> Result<usize> {
        let of_file = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(of_file)?;
        let syntax = syn::parse_file(&text).with_context(of_file)?;
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        let (file, module) = (self.files.len(), self.modules.len());
        let declared = declarations::of(&syntax.items);
        self.files.push(File { name, syntax, module });
        self.add_module(declared, Origin { file, folder, root }, parent)?;
        Ok(module)
    }

    fn add_module(
        &mut self,
        declared: declarations::Declared,
        origin: Origin<'_>,
        parent: Option<usize>,
    ) -> Result<usize> {
        let module = self.modules.len();
        let declarations::Declared { names, globs, modules } = declared;
        self.modules.push(Module { file: origin.file, parent, names, globs });
        for child in modules {
            let folder = origin.folder.join(&child.name);
            let index = match child.content {
                Some(declared) => {
                    self.add_module(declared, Origin { folder: &folder, ..origin }, Some(module))?
                }
                None => {
                    let path = child.path(origin.folder);
                    self.read_file(&path, &folder, origin.root, Some(module))?
                }
            };
            let names = self.modules[module].names.entry(child.name).or_default();
            names.push(Name::Module(index));
        }
        Ok(module)
    }

    /// What a path leads to that is written in the module `from`; nothing, where its first name is
    /// unknown: that of another crate, a type parameter, a variable.
    pub(super) fn resolve(&self, from: usize, path: &[String]) -> Option<Target> {
        self.follow(from, path, &mut BTreeSet::new())
    }

    /// The file of the macro that `name!` calls in a module.
    pub(super) fn macro_file(&self, from: usize, name: &str) -> Option<usize> {
        let module = &self.modules[from];
        let names = module.names.get(name).into_iter().flatten();
        if names.into_iter().any(|name| matches!(name, Name::Macro)) {
            return Some(module.file);
        }
        module.parent.and_then(|parent| self.macro_file(parent, name))
    }

    /// Whether a file belongs to a module within `module`.
    pub(super) fn is_within(&self, file: usize, module: usize) -> bool {
        let parent = |module: &usize| self.modules[*module].parent;
        std::iter::successors(Some(self.files[file].module), parent).any(|it| it == module)
    }

    /// The inline module of this name.
    pub(super) fn inline_module(&self, parent: usize, name: &str) -> Option<usize> {
        let file = self.modules[parent].file;
        let names = self.modules[parent].names.get(name)?;
        names.iter().find_map(|name| match name {
            Name::Module(module) if self.modules[*module].file == file => Some(*module),
            _ => None,
        })
    }

    fn follow(
        &self,
        from: usize,
        path: &[String],
        seen: &mut BTreeSet<(usize, String)>,
    ) -> Option<Target> {
        let (mut module, mut rest, mut is_relative) = (from, path, true);
        while let Some((first, more)) = rest.split_first() {
            module = match first.as_str() {
                "crate" => 0,
                "self" => module,
                "super" => self.modules[module].parent?,
                _ => break,
            };
            (rest, is_relative) = (more, false);
        }
        while let Some((name, more)) = rest.split_first() {
            match self.look_up(module, name, !more.is_empty(), seen) {
                Some(Target::Module(inner)) => module = inner,
                Some(target) => return Some(target),
                None if is_relative => return None,
                // A macro made it.
                None => return Some(Target::File(self.modules[module].file)),
            }
            (rest, is_relative) = (more, false);
        }
        Some(Target::Module(module))
    }

    /// What a name in a module stands for.
    fn look_up(
        &self,
        module: usize,
        name: &str,
        is_prefix: bool,
        seen: &mut BTreeSet<(usize, String)>,
    ) -> Option<Target> {
        if !seen.insert((module, name.to_owned())) {
            return None;
        }
        let Module { file, names, globs, .. } = &self.modules[module];
        let mut found: Vec<&Name> = names.get(name).into_iter().flatten().collect();
        // `log::Ring` is in the module `log`, and `log()` calls the function.
        found.sort_by_key(|name| matches!(name, Name::Module(_)) != is_prefix);
        if let Some(name) = found.first() {
            return Some(match name {
                Name::Item | Name::Macro => Target::File(*file),
                Name::Module(module) => Target::Module(*module),
                Name::Import(path) => self.follow(module, path, seen).unwrap_or(Target::Outside),
            });
        }
        globs.iter().find_map(|path| match self.follow(module, path, seen)? {
            Target::Module(module) => self.look_up(module, name, is_prefix, seen),
            _ => None,
        })
    }
}

/// Where a module's text is, and where its modules' files are.
#[derive(Clone, Copy)]
struct Origin<'a> {
    file: usize,
    folder: &'a Path,
    root: &'a Path,
}

impl declarations::Child {
    /// The file of a module that is declared in a module whose files lie in `folder`.
    fn path(&self, folder: &Path) -> PathBuf {
        if let Some(path) = &self.path_attribute {
            return folder.join(path);
        }
        let file = folder.join(format!("{}.rs", self.name));
        if file.is_file() { file } else { folder.join(&self.name).join("mod.rs") }
    }
}
