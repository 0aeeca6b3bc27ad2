//! `vfu completions` and `vfu man`: what the command line says about itself.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::error::Error;

/// Print a script that completes `vfu` commands in a shell
///
/// For bash: `vfu completions bash > ~/.local/share/bash-completion/completions/vfu`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// Print the manual page, for `man -l -`; with --dir, write the pages of all commands
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Command to print the page of
    #[arg(conflicts_with = "dir")]
    command: Option<String>,
    /// Directory to write vfu.1, vfu-info.1 and so on to
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Completions {
    pub(crate) fn run(self, mut program: Command) -> Result<(), Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "vfu", &mut script);
        Ok(io::stdout().write_all(&script)?)
    }
}

impl Man {
    pub(crate) fn run(self, mut program: Command) -> Result<(), Error> {
        if let Some(dir) = self.dir {
            let failed = |source| Error::File { path: dir.clone(), source };
            return clap_mangen::generate_to(program, &dir).map_err(failed);
        }
        program.build();
        let page = match self.command {
            None => program,
            Some(name) => {
                let found = program.find_subcommand(&name).cloned();
                found.ok_or(Error::NoCommand(name))?
            }
        };
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text)?;
        Ok(io::stdout().write_all(&text)?)
    }
}
