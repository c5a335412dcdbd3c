//! The catalogue definition: the input of makecat (Microsoft's "Using MakeCat"), for machines
//! without inf2cat. The catalogue is made and signed on Windows, or by Microsoft.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use crate::inf::Inf;

/// The catalogue definition of a package: its INF and the files that the INF installs.
pub(super) fn definition(inf_name: &str, inf: &[u8]) -> Result<String> {
    let inf = Inf::parse(inf)?;
    let name = inf.value("Version", "CatalogFile").context("the INF names no catalogue")?;
    let files: Vec<&str> =
        inf.lines("SourceDisksFiles").iter().filter_map(|line| line.key.as_deref()).collect();
    let ids = inf.hardware_ids();
    ensure!(!files.is_empty() && !ids.is_empty(), "the INF installs nothing");

    let mut text = String::new();
    let mut line = |line: &str| {
        let _ = write!(text, "{line}\r\n");
    };
    line("[CatalogHeader]");
    line(&format!("Name={name}"));
    line("ResultDir=.\\");
    line("PublicVersion=0x0000001");
    line("EncodingType=0x00010001");
    line("CatalogVersion=2");
    line("HashAlgorithms=SHA256");
    // Windows 10 and later; the attribute inf2cat writes for 10_VB_X64 and its like.
    line("CATATTR1=0x10010001:OSAttr:2:10.0");
    for (index, id) in ids.iter().enumerate() {
        line(&format!("CATATTR{}=0x10010001:HWID{}:{}", index + 2, index + 1, id.to_lowercase()));
    }
    line("");
    line("[CatalogFiles]");
    for file in [inf_name].iter().chain(&files) {
        line(&format!("<HASH>{file}={file}"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inf;

    #[test]
    fn the_catalogue_is_of_the_inf_and_all_that_it_installs() {
        let source = inf::source("tunic").expect("there");
        let text = definition("tunic.inf", source.as_bytes()).expect("a definition");
        assert!(text.contains("Name=tunic.cat\r\n"), "{text}");
        assert!(text.contains(":HWID1:tunic\r\n"), "{text}");
        let files = text.split("[CatalogFiles]\r\n").nth(1);
        assert_eq!(files, Some("<HASH>tunic.inf=tunic.inf\r\n<HASH>tunic.sys=tunic.sys\r\n"),);
    }
}
