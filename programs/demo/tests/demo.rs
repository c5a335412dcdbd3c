//! The demo, as anybody runs it.

use std::process::Command;

#[test]
fn everything_is_right() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tunic-demo")).args(["--seconds", "1"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(errors.is_empty(), "no bar where there is no terminal: {errors}");
    for row in ["handshake", "TCP, left to right", "TCP, right to left", "wrong key", "unload"] {
        assert!(text.contains(row), "no {row} in:\n{text}");
    }
    assert!(text.ends_with("everything was right\n"));
}

#[test]
fn a_file_that_is_no_driver_is_named() {
    let program = env!("CARGO_BIN_EXE_tunic-demo");
    let missing = "/nonexistent/tunic.sys";
    for (file, reason) in [
        (missing, "the image cannot be read: No such file"),
        (program, "not an image of a driver: "),
        ("/", "the image cannot be read: "),
        ("/dev/null", "not an image of a driver: "),
    ] {
        let output = Command::new(program).args(["--driver", file]).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        let start = format!("tunic-demo: the image {file} does not load: {reason}");
        assert!(errors.starts_with(&start) && errors.lines().count() == 1, "{errors}");
    }
}
