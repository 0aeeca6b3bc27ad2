//! Names of commands.

use std::fmt::{self, Display, Formatter};

use vfio_user::protocol::Command;

/// The number of a command, which displays as its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandName(pub(crate) u16);

impl Display for CommandName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match Command::try_from(self.0) {
            Ok(command) => command.fmt(f),
            Err(_) => f.pad(&format!("COMMAND_{}", self.0)),
        }
    }
}

/// Parses the name of a command in lower case, with or without `device-`.
pub(crate) fn parse_command(text: &str) -> Result<u16, String> {
    let known = (0..=u16::from(u8::MAX)).filter_map(|number| Command::try_from(number).ok());
    let name = |command: Command| command.to_string().to_lowercase().replace('_', "-");
    let wanted = text.to_lowercase().replace('_', "-");
    let matches = |command: &Command| {
        let name = name(*command);
        name == wanted || name.strip_prefix("device-") == Some(&wanted)
    };
    let all: Vec<_> = known.collect();
    all.iter().copied().find(matches).map(u16::from).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|command| name(*command)).collect();
        let names: Vec<_> = names.iter().map(|name| name.trim_start_matches("device-")).collect();
        format!("`{text}` is no command; accepted are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_names_of_the_protocol() {
        assert_eq!(parse_command("region-write"), Ok(10));
        assert_eq!(parse_command("DEVICE_SET_IRQS"), Ok(8));
        assert_eq!(parse_command("set-irqs"), Ok(8));
        let error = parse_command("regionwrite").unwrap_err();
        assert!(error.contains("region-write-multi") && error.contains(" reset"), "{error}");
    }
}
