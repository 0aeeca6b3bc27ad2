//! Files that back the memory of shared BARs.

use std::fs::File;
use std::sync::Arc;

/// A file, and the offset in it at which a BAR starts.
#[derive(Clone, Debug)]
pub(crate) struct SharedFile {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
}
