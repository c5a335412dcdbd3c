//! `--driver`: the file that Windows loads in place of the linked driver.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
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
        let options = vec!["--driver", image::BUILT, "--log-level", "info"];
        let tunnel = Tunnel::new(Setup { options, ..Setup::new(Implementation::WireguardGo) })?;
        let log = tunnel.tunicd.log();
        let form = format!("runs the image {}", image::BUILT);
        let line = log.lines().find(|line| line.ends_with(&form));
        println!("{}", line.with_context(|| format!("no {form:?} in {log}"))?);
        ensure!(tunnel.reaches_peer(Duration::from_secs(20))?, "{}", tunnel.explain());
        tunnel.tunicd.stop()
    });
}

#[test]
fn the_demo_runs_the_image() {
    run("the_demo_runs_the_image", &[Need::DriverImage], || {
        let mut demo = Command::new(binary::tunic()?);
        demo.args(["demo", "--seconds", "1", "--driver", image::BUILT]);
        let said = command::run(&mut demo, b"", Duration::from_secs(120))?.success()?;
        let form = format!("Two adapters of the image {} on nt-host", image::BUILT);
        ensure!(said.starts_with(&form) && said.ends_with("everything was right\n"), "{said}");
        println!("{said}");
        Ok(())
    });
}
