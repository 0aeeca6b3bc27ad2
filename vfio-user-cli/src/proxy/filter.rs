//! Which messages are shown.

use clap::Args;

use crate::message::{CommandName, Decoded, Fields, Value, parse_command};
use crate::place;

/// What to show
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Filter {
    /// Show only these commands, such as `region-write,set-irqs`
    #[arg(long, value_name = "COMMANDS", value_delimiter = ',', value_parser = parse_command)]
    only: Vec<u16>,
    /// Do not show these commands
    #[arg(long, value_name = "COMMANDS", value_delimiter = ',', value_parser = parse_command)]
    not: Vec<u16>,
    /// Show only what refers to these regions, such as `bar0,config`
    #[arg(long, value_name = "REGIONS", value_delimiter = ',', value_parser = parse_region)]
    region: Vec<String>,
    /// Show only errors and malformed messages, each error after its request
    #[arg(long)]
    pub(super) errors: bool,
}

impl Filter {
    /// Whether messages of a command are shown, where nothing else excludes them.
    pub(super) fn accepts(&self, command: CommandName) -> bool {
        let is_in = |commands: &[u16]| commands.contains(&command.0);
        (self.only.is_empty() || is_in(&self.only)) && !is_in(&self.not)
    }

    /// Whether a request is shown, and its reply.
    pub(super) fn accepts_message(&self, message: &Decoded) -> bool {
        self.region.is_empty() || self.refers(&message.fields)
    }

    fn refers(&self, fields: &Fields) -> bool {
        fields.0.iter().any(|field| match &field.value {
            Value::Name(name) => field.name == "region" && self.region.contains(name),
            Value::List(entries) => entries.iter().any(|entry| self.refers(entry)),
            _ => false,
        })
    }
}

fn parse_region(text: &str) -> Result<String, String> {
    place::parse_region(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_selected_and_excluded() {
        let accepted = |filter: &Filter| -> Vec<u16> {
            (8..12).filter(|command| filter.accepts(CommandName(*command))).collect()
        };
        let only = Filter { only: vec![9, 10], ..Filter::default() };
        assert_eq!(accepted(&only), [9, 10]);
        let both = Filter { only: vec![9, 10], not: vec![9], ..Filter::default() };
        assert_eq!(accepted(&both), [10]);
        assert_eq!(accepted(&Filter { not: vec![9], ..Filter::default() }), [8, 10, 11]);
    }
}
