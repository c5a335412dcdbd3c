//! The user, the group and the root folder of the process after its start.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::unistd::{Gid, Group, Uid, User, chroot, setgid, setgroups, setuid};

use crate::profile::ProcessOptions;

/// Who the process becomes, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    user: Option<Uid>,
    group: Option<Gid>,
    root: Option<PathBuf>,
}

impl Account {
    /// Looks the names up. Without `group`, the group is the user's own.
    pub(super) fn find(options: &ProcessOptions) -> Result<Self> {
        let mut account = Self { root: options.root.clone(), ..Self::default() };
        if let Some(name) = &options.user {
            let user = User::from_name(name).with_context(|| format!("user {name}"))?;
            let user = user.with_context(|| format!("user {name}: there is no such user"))?;
            account.user = Some(user.uid);
            account.group = Some(user.gid);
        }
        if let Some(name) = &options.group {
            let group = Group::from_name(name).with_context(|| format!("group {name}"))?;
            let group = group.with_context(|| format!("group {name}: there is no such group"))?;
            account.group = Some(group.gid);
        }
        Ok(account)
    }

    /// Whether files are others, or for others, than before.
    pub(super) fn is_changed(&self) -> bool {
        *self != Self::default()
    }

    /// Takes all of it on, in the order that each step needs the rights that a later one takes.
    /// `are_capabilities_kept` keeps those that are permitted through the change of the user.
    ///
    /// # Errors
    ///
    /// When a step fails. The process must not go on then.
    pub(super) fn take_on(&self, are_capabilities_kept: bool) -> Result<()> {
        if let Some(root) = &self.root {
            let inside = || -> nix::Result<()> {
                chroot(root)?;
                // Otherwise the working directory would be outside.
                nix::unistd::chdir("/")
            };
            inside().with_context(|| format!("chroot {}", root.display()))?;
        }
        if let Some(group) = self.group {
            setgroups(&[group]).context("group: setgroups")?;
            setgid(group).context("group: setgid")?;
        }
        if let Some(user) = self.user {
            prctl::set_keepcaps(are_capabilities_kept).context("user: PR_SET_KEEPCAPS")?;
            setuid(user).context("user: setuid")?;
            prctl::set_keepcaps(false).context("user: PR_SET_KEEPCAPS")?;
        }
        Ok(())
    }
}
