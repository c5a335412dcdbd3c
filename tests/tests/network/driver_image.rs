//! `--driver`: the file that Windows loads in place of the linked driver.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tunic_tests::command::Output;
use tunic_tests::namespace::unique;
use tunic_tests::peer::Implementation;
use tunic_tests::require::{self, Need};
use tunic_tests::tunnel::{Setup, Tunnel};
use tunic_tests::{binary, command, image};

fn run(name: &str, needs: &[Need], test: fn() -> Result<()>) {
    if require::all(name, needs)
        && let Err(error) = test()
    {
        panic!("{name}: {error:#}");
    }
}

/// `wg` configures it, and it talks to a peer.
#[test]
fn the_daemon_runs_the_image() {
    let mut needs = Implementation::WireguardGo.needs();
    needs.push(Need::DriverImage);
    run("the_daemon_runs_the_image", &needs, || {
        let options = vec!["--driver", image::BUILT, "--perf-map", "--log-level", "info"];
        let tunnel = Tunnel::new(Setup { options, ..Setup::new(Implementation::WireguardGo) })?;
        let log = tunnel.tunicd.log();
        let form = format!("running the image {}", image::BUILT);
        let line = log.lines().find(|line| line.ends_with(&form));
        println!("{}", line.with_context(|| format!("no {form:?} in {log}"))?);
        ensure!(tunnel.reaches_peer(Duration::from_secs(20))?, "{}", tunnel.explain());
        // perf(1) finds the names of its functions: start, size, name.
        let map = format!("/tmp/perf-{}.map", tunnel.tunicd.process_id());
        let names = std::fs::read_to_string(&map).context(map.clone())?;
        std::fs::remove_file(&map)?;
        let is_named = |line: &str| line.splitn(3, ' ').last() == Some("DriverEntry");
        ensure!(names.lines().any(is_named), "no DriverEntry in {names}");
        tunnel.tunicd.stop()
    });
}

/// An image that imports what there is not is not run, and all such names are told.
#[test]
fn missing_imports_are_named() {
    run("missing_imports_are_named", &[Need::DriverImage], || {
        let mut bytes = std::fs::read(image::BUILT)?;
        for name in ["KeSetEvent", "NdisGetVersion"] {
            let place = bytes
                .windows(name.len() + 1)
                .position(|found| found == [name.as_bytes(), &[0]].concat());
            let place = place.with_context(|| format!("it does not import {name}"))?;
            // Names begin at even places, and the checksum adds words: in another order they have
            // the same.
            bytes[place..place + 4].rotate_left(2);
        }
        let file = require::scratch().join(format!("{}.sys", unique("missing")));
        std::fs::write(&file, bytes)?;
        let mut demo = Command::new(binary::tunic_demo()?);
        demo.arg("--driver").arg(&file);
        let output = command::run(&mut demo, b"", Duration::from_secs(20));
        std::fs::remove_file(&file)?;
        let Output { status, stderr, .. } = output?;
        let reason = "the image imports what nt-host does not have";
        ensure!(status.code() == Some(1) && stderr.contains(reason), "{stderr}");
        for name in ["ntoskrnl.exe!SeKetEvent", "ndis.sys!isNdGetVersion"] {
            ensure!(stderr.contains(name), "no {name} in {stderr}");
        }
        Ok(())
    });
}

#[test]
fn the_demo_runs_the_image() {
    run("the_demo_runs_the_image", &[Need::DriverImage], || {
        let mut demo = Command::new(binary::tunic_demo()?);
        demo.args(["--seconds", "1", "--driver", image::BUILT]);
        let said = command::run(&mut demo, b"", Duration::from_secs(120))?.success()?;
        let form = format!("Two adapters of the image {} on nt-host", image::BUILT);
        ensure!(said.starts_with(&form) && said.ends_with("everything was right\n"), "{said}");
        println!("{said}");
        Ok(())
    });
}
