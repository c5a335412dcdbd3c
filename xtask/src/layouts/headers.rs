//! Windows' layouts, from the WDK's headers, which clang compiles.
//!
//! The headers may not be copied, so only numbers are taken from them. A generated C file puts the
//! numbers into the initialised data of an object file, after a mark by which they are found. This
//! needs no parser of C and none of the object format.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::names::{self, Member};
use super::source::Declared;

/// The processors: clang's name, and the headers' name.
pub(super) const PROCESSORS: [(&str, &str); 2] = [("x86_64", "AMD64"), ("aarch64", "ARM64")];

/// The versions of NDIS that the headers support, and the macros that select them.
pub(super) const NDIS_VERSIONS: [(&str, &str); 17] = [
    ("6.0", "NDIS60"),
    ("6.1", "NDIS61"),
    ("6.20", "NDIS620"),
    ("6.30", "NDIS630"),
    ("6.40", "NDIS640"),
    ("6.50", "NDIS650"),
    ("6.51", "NDIS651"),
    ("6.60", "NDIS660"),
    ("6.70", "NDIS670"),
    ("6.80", "NDIS680"),
    ("6.81", "NDIS681"),
    ("6.82", "NDIS682"),
    ("6.83", "NDIS683"),
    ("6.84", "NDIS684"),
    ("6.85", "NDIS685"),
    ("6.86", "NDIS686"),
    ("6.87", "NDIS687"),
];

/// The mark before the numbers in the object.
const MARK: &[u8; 16] = b"tunic's numbers:";
/// The number of a type or field that the headers don't have.
const NONE: u64 = u64::MAX;

/// A struct or union of the headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) size: u64,
    pub(super) align: u64,
    /// Offset and size of each field; `None` where there is no such member.
    pub(super) fields: Vec<Option<(u64, u64)>>,
}

/// The headers, and clang to compile them.
pub(super) struct Headers {
    clang: String,
    /// The folder of the generated files.
    scratch: PathBuf,
}

impl Headers {
    /// `folder` holds `km` and `shared`; `scratch` is for what is generated.
    pub(super) fn open(folder: &Path, scratch: &Path) -> Result<Self> {
        for part in ["km/ndis.h", "shared/ntdef.h"] {
            ensure!(folder.join(part).exists(), "{} has no {part}", folder.display());
        }
        let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang-14".into());
        fs::create_dir_all(scratch)?;
        // Windows' file names are case-insensitive, and headers include each other in any case.
        let mut roots = Vec::new();
        for part in ["km", "shared"] {
            list(&folder.join(part).canonicalize()?, &format!("/wdk/{part}"), &mut roots)?;
        }
        let overlay =
            serde_json::json!({ "version": 0, "case-sensitive": "false", "roots": roots });
        fs::write(scratch.join("overlay.json"), overlay.to_string())?;
        Ok(Self { clang, scratch: scratch.to_owned() })
    }

    /// The layouts of some types. A type that these headers don't have is `None`.
    pub(super) fn measure(
        &self,
        declared: &[Declared],
        processor: (&str, &str),
        ndis: &str,
    ) -> Result<Vec<Option<Measured>>> {
        let mut missing = BTreeSet::new();
        // Each attempt leaves out what the one before didn't find. A missing type hides its fields.
        for _ in 0..3 {
            let program = Program::of(declared, &missing);
            fs::write(self.scratch.join("layouts.c"), &program.text)?;
            let errors = self.compile(processor, ndis)?;
            if errors.is_empty() {
                let object = fs::read(self.scratch.join("layouts.obj"))?;
                return program.read(&object);
            }
            for (line, message) in errors {
                let row = program.row_of_line(line);
                let row = row.with_context(|| format!("layouts.c:{line}: {message}"))?;
                missing.insert(row);
            }
        }
        bail!("clang still finds errors in {}/layouts.c", self.scratch.display());
    }

    /// Compiles; returns the lines of the generated file that clang refuses.
    fn compile(&self, (target, name): (&str, &str), ndis: &str) -> Result<Vec<(usize, String)>> {
        let output = Command::new(&self.clang)
            .current_dir(&self.scratch)
            .arg(format!("--target={target}-pc-windows-msvc"))
            .args(["-fms-compatibility", "-fms-extensions", "-fms-compatibility-version=19.38"])
            .args(["-nostdinc", "-ivfsoverlay", "overlay.json"])
            .args(["-isystem", "/wdk/km", "-isystem", "/wdk/shared", "-isystem", "/wdk/km/crt"])
            .args([format!("-D_{name}_"), format!("-D{name}"), format!("-D{ndis}_MINIPORT")])
            .args(["-D_WIN64", "-D_KERNEL_MODE", "-DNDIS_MINIPORT_DRIVER", "-DNDIS_WDM"])
            // Windows 11 22H2: NTDDI_WIN10_NI.
            .args(["-DNTDDI_VERSION=0x0A00000C", "-D_WIN32_WINNT=0x0A00", "-DWINVER=0x0A00"])
            .args(["-w", "-ferror-limit=0", "-fno-caret-diagnostics"])
            .args(["-c", "layouts.c", "-o", "layouts.obj"])
            .output()
            .with_context(|| format!("cannot run {} (Debian package clang-14)", self.clang))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let mut errors = Vec::new();
        for line in text.lines().filter(|line| line.contains("error:")) {
            let place = line.strip_prefix("layouts.c:").and_then(|rest| rest.split(':').next());
            let place = place.and_then(|number| number.parse().ok());
            let place = place.with_context(|| format!("{}: {line}", self.clang))?;
            errors.push((place, line.to_owned()));
        }
        ensure!(output.status.success() || !errors.is_empty(), "{}: {text}", self.clang);
        Ok(errors)
    }
}

/// Lists a folder for clang's overlay.
fn list(folder: &Path, name: &str, roots: &mut Vec<serde_json::Value>) -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/{file}"), roots)?;
        } else {
            let path = entry.path();
            files.push(serde_json::json!({
                "type": "file", "name": file, "external-contents": path.to_string_lossy(),
            }));
        }
    }
    roots.push(serde_json::json!({ "type": "directory", "name": name, "contents": files }));
    Ok(())
}

/// A type or a field, by index.
type Row = (usize, Option<usize>);

/// The generated C file: a row is a line, and two numbers.
struct Program {
    text: String,
    /// The row of each line.
    lines: Vec<Option<Row>>,
    rows: Vec<Row>,
    /// The number of fields of each type.
    field_counts: Vec<usize>,
}

impl Program {
    fn of(declared: &[Declared], missing: &BTreeSet<Row>) -> Self {
        let mut program = Self {
            text: String::new(),
            lines: Vec::new(),
            rows: Vec::new(),
            field_counts: declared.iter().map(|declared| declared.fields.len()).collect(),
        };
        for header in ["ntddk.h", "ndis.h", "wsk.h", "netioapi.h"] {
            program.line(None, &format!("#include <{header}>"));
        }
        let mut probes = Vec::new();
        for (index, declared) in declared.iter().enumerate() {
            let is_missing = missing.contains(&(index, None));
            let c_type = if is_missing { "int" } else { names::c_type(declared.name()) };
            program.line(Some((index, None)), &format!("typedef __typeof__({c_type}) t{index};"));
            for (field, name) in declared.fields.iter().enumerate() {
                let row = (index, Some(field));
                if let Some(Member::Bits(lowest)) = names::exception(declared.name(), name)
                    && !is_missing
                    && !missing.contains(&row)
                {
                    probes.push((row, lowest));
                }
            }
        }
        program.line(
            None,
            "struct all { unsigned char mark[16]; struct { unsigned long long n[2]; } row[",
        );
        let rows: usize = declared.iter().map(|declared| 1 + declared.fields.len()).sum();
        program.line(None, &format!("{rows}];"));
        for (row, _) in &probes {
            program.line(Some(*row), &format!("t{} {};", row.0, probe(*row)));
        }
        program.line(None, "};");
        let mark = MARK.map(|byte| byte.to_string()).join(",");
        program.line(None, &format!("const struct all all = {{ {{{mark}}}, {{"));
        for (index, declared) in declared.iter().enumerate() {
            let is_missing = missing.contains(&(index, None));
            let numbers = match is_missing {
                true => format!("{{{NONE}u, {NONE}u}},"),
                false => format!("{{sizeof(t{index}), __alignof__(t{index})}},"),
            };
            program.row((index, None), &numbers);
            for (field, name) in declared.fields.iter().enumerate() {
                let row = (index, Some(field));
                let member = names::exception(declared.name(), name);
                let numbers = match is_missing || missing.contains(&row) {
                    true => format!("{{{NONE}u, {NONE}u}},"),
                    false => pair(row, name, member),
                };
                program.row(row, &numbers);
            }
        }
        program.line(None, "},");
        for (row, lowest) in &probes {
            program.line(Some(*row), &format!(".{} = {{ .{lowest} = 1 }},", probe(*row)));
        }
        program.line(None, "};");
        program
    }

    fn line(&mut self, row: Option<Row>, text: &str) {
        self.lines.push(row);
        let _ = writeln!(self.text, "{text}");
    }

    fn row(&mut self, row: Row, text: &str) {
        self.rows.push(row);
        self.line(Some(row), text);
    }

    /// Lines count from 1.
    fn row_of_line(&self, line: usize) -> Option<Row> {
        *self.lines.get(line.checked_sub(1)?)?
    }

    /// Reads the numbers out of the object.
    fn read(&self, object: &[u8]) -> Result<Vec<Option<Measured>>> {
        let start = object.windows(MARK.len()).position(|bytes| bytes == MARK);
        let all = &object[start.context("clang's object has no numbers")?..];
        let number = |place: usize| {
            let bytes = all.get(place..place + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_le_bytes).context("clang's object is short of numbers")
        };
        let mut measured: Vec<Option<Measured>> = Vec::new();
        for (index, (of, field)) in self.rows.iter().enumerate() {
            let place = MARK.len() + 16 * index;
            let pair = (number(place)?, number(place + 8)?);
            let Some(field) = field else {
                let (size, align) = pair;
                let fields = vec![None; self.field_counts[*of]];
                measured.push((size != NONE).then_some(Measured { size, align, fields }));
                continue;
            };
            let Some(Some(measured)) = measured.get_mut(*of) else { continue };
            measured.fields[*field] = match pair {
                (NONE, NONE) => None,
                (NONE, probe) => {
                    let probe = usize::try_from(probe)?;
                    let bytes = all.get(probe..probe + usize::try_from(measured.size)?);
                    Some((offset_of_bit(bytes.unwrap_or_default())?, NONE))
                }
                pair => Some(pair),
            };
        }
        for measured in measured.iter_mut().flatten() {
            // A field of unknown size reaches to the next one.
            let mut end = measured.size;
            for field in measured.fields.iter_mut().rev().flatten() {
                if field.1 == NONE {
                    field.1 = end - field.0;
                }
                end = field.0;
            }
        }
        Ok(measured)
    }
}

/// The offset of a probe's only bit.
fn offset_of_bit(probe: &[u8]) -> Result<u64> {
    let offset = probe.iter().position(|byte| *byte != 0);
    Ok(offset.context("a probe in clang's object is zero")? as u64)
}

/// The name of the member of `all` in which one bit is set, which shows where C puts bit fields.
fn probe((index, field): Row) -> String {
    format!("p{index}_{}", field.unwrap_or_default())
}

/// The C expressions of a field's two numbers.
fn pair((index, field): Row, name: &str, exception: Option<Member>) -> String {
    let offset = |member: &str| format!("__builtin_offsetof(t{index}, {member})");
    let size = |member: &str| format!("sizeof(((t{index} *)0)->{member})");
    match exception {
        None => format!("{{{}, {}}},", offset(name), size(name)),
        Some(Member::Named(member)) => format!("{{{}, {}}},", offset(member), size(member)),
        Some(Member::Range(first, last)) => {
            let size = format!("{} + {} - {}", offset(last), size(last), offset(first));
            format!("{{{}, {size}}},", offset(first))
        }
        Some(Member::UpToNext(member)) => format!("{{{}, {NONE}u}},", offset(member)),
        Some(Member::Bits(_)) => {
            format!("{{{NONE}u, __builtin_offsetof(struct all, {})}},", probe((index, field)))
        }
        Some(Member::Padding) => format!("{{{NONE}u, {NONE}u}},"),
    }
}
