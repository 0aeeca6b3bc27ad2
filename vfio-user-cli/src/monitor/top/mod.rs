//! `vfu top`: a running device, live.

mod rates;
mod sample;
mod view;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use vfio_user::monitor::{Client, ClientError};

use super::{connect, failed};
use crate::error::Error;
use crate::interrupted::Interrupted;
use rates::Rates;
use sample::Sample;
use view::Screen;

/// Show a running device live, by its monitor: rates, registers, interrupts, DMA, the last accesses
///
/// `q` quits, and a space holds the picture. The program of the device has to be started with
/// --monitor=PATH.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Socket of the monitor
    path: PathBuf,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = parse_interval)]
    interval: f64,
}

fn parse_interval(argument: &str) -> Result<f64, String> {
    match argument.parse() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("it is no number from 0.1 to 60".to_owned()),
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Quit,
    Hold,
    /// The terminal has another size, or the time has passed.
    Draw,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(Error::NoTerminal);
        }
        let interrupted = Interrupted::watch()?;
        let client = connect(&self.path)?;
        let mut top = Top {
            client,
            interval: Duration::from_secs_f64(self.interval),
            interrupted,
            screen: Screen::default(),
            is_held: false,
        };
        // A panic restores the terminal as well: `try_init` sets a hook.
        let done = match ratatui::try_init() {
            Ok(terminal) => top.run(terminal, &self.path),
            Err(error) => Err(error.into()),
        };
        let restored = ratatui::try_restore();
        done.and(restored.map_err(Error::from))
    }
}

struct Top {
    client: Client,
    interval: Duration,
    interrupted: Interrupted,
    screen: Screen,
    is_held: bool,
}

impl Top {
    fn run(&mut self, mut terminal: DefaultTerminal, path: &Path) -> Result<(), Error> {
        loop {
            let start = Instant::now();
            if !self.is_held {
                self.look().map_err(failed(path))?;
            }
            terminal.draw(|frame| self.screen.draw(frame))?;
            loop {
                let left = self.interval.saturating_sub(start.elapsed());
                match self.wish(left)? {
                    Some(Wish::Quit) => return Ok(()),
                    Some(Wish::Hold) => {
                        self.is_held = !self.is_held;
                        self.screen.set_held(self.is_held);
                    }
                    Some(Wish::Draw) => {}
                    None => break,
                }
                terminal.draw(|frame| self.screen.draw(frame))?;
            }
        }
    }

    /// Takes the next sample. A device that does not answer leaves the last one on the screen.
    fn look(&mut self) -> Result<(), ClientError> {
        match Sample::take(&mut self.client) {
            Ok(sample) => self.screen.show(sample),
            Err(ClientError::Refused(reason)) => self.screen.complain(reason),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Waits for a key; `None` once the time has passed.
    fn wish(&self, time: Duration) -> io::Result<Option<Wish>> {
        let start = Instant::now();
        loop {
            if self.interrupted.is_set() {
                return Ok(Some(Wish::Quit));
            }
            let left = time.saturating_sub(start.elapsed());
            // So that a signal ends it soon.
            let part = left.min(Duration::from_millis(100));
            let wish = if event::poll(part)? { wish_of(&event::read()?) } else { None };
            if wish.is_some() || left.is_zero() {
                return Ok(wish);
            }
        }
    }
}

fn wish_of(event: &Event) -> Option<Wish> {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else {
        return matches!(event, Event::Resize(..)).then_some(Wish::Draw);
    };
    match code {
        KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Quit),
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::Quit),
        KeyCode::Char(' ') => Some(Wish::Hold),
        _ => None,
    }
}
