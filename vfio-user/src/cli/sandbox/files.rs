//! The folders whose files a server uses.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    PathFdError, RestrictSelfAttr as _, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, make_bitflags,
};

/// What Linux 6.2 restricts: opening, creating, removing, renaming and truncating. A kernel that
/// does not is refused.
const REQUIRED: ABI = ABI::V3;
/// What newer kernels restrict as well: device files, abstract sockets, signals.
const WANTED: ABI = ABI::V6;

/// The rights in the folder of a state file, which is replaced by a new one.
const STATE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | WriteFile | ReadDir | RemoveFile | MakeReg | Truncate
});

/// Why the files cannot be restricted.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error("the kernel lacks Landlock as of Linux 6.2, or has it disabled: {0}")]
    Ruleset(#[from] RulesetError),
    #[error("the kernel has Landlock disabled")]
    NotEnforced,
    #[error(transparent)]
    Folder(#[from] PathFdError),
}

/// Returns the rules that allow only to use the files in the folders of `states`, and to remove
/// those in the folders of `sockets`.
///
/// # Errors
///
/// If the kernel has no such rules, or a folder cannot be opened.
pub(super) fn rules<'p>(
    states: impl Iterator<Item = &'p Path>,
    sockets: impl Iterator<Item = &'p Path>,
) -> Result<RulesetCreated, FilesError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(REQUIRED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?;
    let states = states.map(|path| (path, STATE));
    let sockets = sockets.map(|path| (path, AccessFs::RemoveFile.into()));
    for (path, rights) in states.chain(sockets) {
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(folder(path))?, rights))?;
    }
    Ok(ruleset)
}

/// Restricts this thread, and those that it starts. On Linux 7.0 and later `all` restricts the
/// others as well.
///
/// # Errors
///
/// If the kernel refuses.
pub(super) fn restrict(rules: RulesetCreated, all: bool) -> Result<(), FilesError> {
    match rules.all_threads(all)?.restrict_self()?.ruleset {
        RulesetStatus::NotEnforced => Err(FilesError::NotEnforced),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}
