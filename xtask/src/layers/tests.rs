//! Small workspaces, each with one fault that is refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::check;

/// A workspace in a folder of its own, which goes with it.
struct Workspace(PathBuf);

impl Workspace {
    /// Two packages: the engine in `nic-core`, and the driver that depends on it.
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let name = format!("tunic-layers-{name}-{}", std::process::id());
        let workspace = Self(require::scratch().join(name));
        workspace.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"nic-core/engine\", \"driver\"]\n",
        );
        workspace.write("nic-core/engine/Cargo.toml", &manifest("engine", ""));
        workspace.write("nic-core/engine/src/lib.rs", "");
        workspace.write(
            "driver/Cargo.toml",
            &manifest("driver", "[dependencies]\nengine = { path = \"../nic-core/engine\" }\n"),
        );
        workspace.write("driver/src/lib.rs", "");
        files.iter().for_each(|(path, text)| workspace.write(path, text));
        workspace
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    }

    fn faults(&self) -> Vec<String> {
        check(&self.0, None).unwrap().faults
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn manifest(name: &str, dependencies: &str) -> String {
    format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{dependencies}")
}

/// The faults of a driver with these files in `src`, in each of which `mod` lines are written out.
fn faults_of_modules(name: &str, files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(String, &str)> =
        files.iter().map(|(path, text)| (format!("driver/src/{path}"), *text)).collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    Workspace::new(name, &files).faults()
}

const FOUR: &str = "mod a;\nmod b;\nmod c;\nmod d;\n";

#[test]
fn dependencies_that_point_down_pass() {
    assert_eq!(Workspace::new("passes", &[]).faults(), Vec::<String>::new());
}

#[test]
fn a_dependency_that_points_up_is_refused() {
    let upward = "[dependencies]\ndriver = { path = \"../../driver\" }\n";
    let workspace = Workspace::new("upward", &[]);
    workspace.write("nic-core/engine/Cargo.toml", &manifest("engine", upward));
    let faults = workspace.faults();
    assert_eq!(
        faults,
        ["nic-core/engine: driver is no dependency of this layer (order.rs)"],
        "{faults:?}"
    );
}

#[test]
fn tests_of_the_core_may_run_on_the_host_and_the_core_may_not() {
    for (kind, count) in [("dev-dependencies", 0), ("dependencies", 1)] {
        let on_host = format!("[{kind}]\nnt-host = {{ path = \"../../nt-host\" }}\n");
        let members = "members = [\"nic-core/engine\", \"driver\", \"nt-host\"]\n";
        let workspace = Workspace::new(
            kind,
            &[
                ("Cargo.toml", &format!("[workspace]\nresolver = \"3\"\n{members}")),
                ("nic-core/engine/Cargo.toml", &manifest("engine", &on_host)),
                ("nt-host/Cargo.toml", &manifest("nt-host", "")),
                ("nt-host/src/lib.rs", ""),
            ],
        );
        assert_eq!(workspace.faults().len(), count, "{kind}: {:?}", workspace.faults());
    }
}

#[test]
fn a_package_in_no_layer_is_refused() {
    let workspace = Workspace::new(
        "unknown",
        &[
            ("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"extra\"]\n"),
            ("extra/Cargo.toml", &manifest("extra", "")),
            ("extra/src/lib.rs", ""),
            ("nic-core/README.md", ""),
        ],
    );
    assert!(workspace.faults()[0].starts_with("extra is in no layer"), "{:?}", workspace.faults());
}

#[test]
fn a_cycle_of_four_modules_is_refused() {
    let faults = faults_of_modules(
        "four",
        &[
            ("lib.rs", FOUR),
            ("a.rs", "use crate::b::B;\npub struct A(B);"),
            // By a path in an expression, one in a macro, and one through the parent.
            ("b.rs", "pub struct B;\nfn b() { super::c::c(); }"),
            ("c/mod.rs", "mod inner;\npub use inner::c;"),
            ("c/inner.rs", "pub fn c() { println!(\"{}\", crate::d::D); }"),
            ("d.rs", "pub const D: usize = size_of::<super::a::A>();"),
        ],
    );
    assert_eq!(
        faults,
        ["driver: import cycle of 4 modules: d.rs -(A)-> a.rs -(B)-> b.rs -(c)-> c/inner.rs \
             -(D)-> d.rs"]
    );
}

#[test]
fn a_cycle_of_three_modules_and_a_star_of_twos_pass() {
    let faults = faults_of_modules(
        "star",
        &[
            ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\npub struct All(a::A, b::B, c::C, d::D);"),
            ("a.rs", "pub struct A(fn(&crate::All), fn(&super::b::B));"),
            ("b.rs", "pub struct B(fn(&crate::All));"),
            ("c.rs", "pub struct C(fn(&crate::All));"),
            ("d.rs", "pub struct D(fn(&crate::All));"),
        ],
    );
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn tests_and_re_exports_close_no_cycle() {
    let faults = faults_of_modules(
        "tests",
        &[
            ("lib.rs", &format!("{FOUR}pub use a::A;\npub use b::B;\npub use c::C;")),
            ("a.rs", "pub struct A(crate::B);"),
            ("b.rs", "pub struct B(crate::C);"),
            ("c.rs", "pub struct C(crate::d::D);"),
            ("d.rs", "pub struct D;\n#[cfg(test)]\nmod tests {\n    use crate::A;\n}"),
        ],
    );
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn the_core_must_not_name_a_protocol() {
    let path = "nic-core/engine/src/lib.rs";
    let workspace = Workspace::new("names", &[(path, "\n// Like OpenVPN.\n")]);
    let faults = workspace.faults();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].ends_with("lib.rs:2: names openvpn"), "{faults:?}");

    let workspace = Workspace::new("files", &[("nic-core/engine/src/wireguard.rs", "")]);
    assert!(workspace.faults()[0].ends_with("wireguard.rs: names wireguard"));
}
