//! The linker's arguments for an image.

use std::ffi::OsString;
use std::path::Path;

/// Section attributes. Code and data are never paged out (`P`), as they are used at DISPATCH_LEVEL.
/// What only the loader reads is discardable (`D`).
const SECTIONS: [(&str, &str); 6] = [
    (".text", "ERP"),
    (".rdata", "RP"),
    (".data", "RWP"),
    (".pdata", "RP"),
    (".rsrc", "RD"),
    (".reloc", "RD"),
];

/// Switches of lld-link; those of wdk-build for a WDM driver, and those that keep two builds equal.
const SWITCHES: [&str; 16] = [
    "/DRIVER",
    "/SUBSYSTEM:NATIVE,10.0",
    "/ENTRY:DriverEntry",
    "/NODEFAULTLIB",
    "/OPT:REF,ICF",
    "/MANIFEST:NO",
    // A checksum, which the loader requires.
    "/RELEASE",
    "/NXCOMPAT",
    "/DYNAMICBASE",
    "/HIGHENTROPYVA",
    "/INTEGRITYCHECK",
    // LLVM may leave this section without attributes; an image with such a section doesn't load
    // (microsoft/windows-drivers-rs#182).
    "/MERGE:.retplne=.rdata",
    "/DEBUG",
    "/MAP",
    "/PDBALTPATH:tunic.pdb",
    // A hash of the image instead of the time.
    "/Brepro",
];

/// The compiler's arguments that link an image with this resource.
pub(crate) fn arguments(resource: &Path) -> Vec<OsString> {
    let mut link_arguments: Vec<OsString> = SWITCHES.map(OsString::from).into();
    for (section, attributes) in SECTIONS {
        link_arguments.push(format!("/SECTION:{section},{attributes}").into());
    }
    link_arguments.push(resource.into());

    let mut arguments: Vec<OsString> =
        ["-Clinker=rust-lld", "-Clinker-flavor=lld-link"].map(OsString::from).into();
    for link_argument in link_arguments {
        let mut argument = OsString::from("-Clink-arg=");
        argument.push(link_argument);
        arguments.push(argument);
    }
    arguments
}
