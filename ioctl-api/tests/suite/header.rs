//! `include/tunic.h` is what the records say, and a C compiler agrees.

use std::{fs, path::Path, process::Command};

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include/tunic.h")
}

#[test]
fn committed_header_is_current() {
    let mut text = String::new();
    tunic_ioctl::header::write(&mut text).unwrap();
    assert_eq!(
        fs::read_to_string(path()).unwrap(),
        text,
        "run: cargo run -p tunic-ioctl --example header"
    );
}

#[test]
fn c_and_cpp_compilers_agree_on_every_layout() {
    for (compiler, language) in [("cc", "c"), ("c++", "c++")] {
        let output = Command::new(compiler)
            .args(["-fsyntax-only", "-Wall", "-Werror", "-Wno-pragma-once-outside-header"])
            .args(["-x", language])
            .arg(path())
            .output();
        let Ok(output) = output else {
            let remedy = format!("a compiler for {language}: apt-get install g++");
            require::skip("compilers", &format!("no {compiler}"), &[remedy]);
            continue;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
