//! Construction of the devices that the options name.

use std::mem;

use super::devices::{Devices, Files};
use super::recordings::RecordOnce;
use super::signals::Burndowns;
use super::sockets::Place;
use crate::error::Result;
use crate::function::Function;

/// Constructs the device of each socket, and constructs it anew after a panic.
#[derive(Debug)]
pub(super) struct Construction<'a> {
    devices: Devices<'a>,
    places: Vec<Place>,
    burndowns: Burndowns,
    recordings: RecordOnce,
    /// Whether another program hands over the state of the next device at each place.
    are_taken_over: Vec<bool>,
}

impl<'a> Construction<'a> {
    /// Constructs devices at these places. Another program may hand over the state of the first
    /// ones.
    pub(super) fn new(devices: Devices<'a>, places: Vec<Place>, are_taken_over: bool) -> Self {
        Construction {
            devices,
            burndowns: Burndowns::new(places.iter().map(|place| place.label.clone())),
            recordings: RecordOnce::default(),
            are_taken_over: vec![are_taken_over; places.len()],
            places,
        }
    }

    pub(super) fn burndowns(&self) -> &Burndowns {
        &self.burndowns
    }

    /// Constructs a device for each place.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub(super) fn create_all(&mut self) -> Result<Vec<Box<dyn Function>>> {
        (0..self.places.len()).map(|index| self.create(index)).collect()
    }

    /// Constructs the device for a place.
    ///
    /// # Errors
    ///
    /// That of the device, of its state, or of its recording.
    pub(super) fn create(&mut self, index: usize) -> Result<Box<dyn Function>> {
        let place = &self.places[index];
        let files = Files {
            state: place.state.as_deref(),
            // A device that replaces one after a panic has the state of its file.
            is_taken_over: mem::take(&mut self.are_taken_over[index]),
            recording: self.recordings.take(index, place),
        };
        let (function, burndown) = self.devices.get(place.of).create(place.number, files)?;
        self.burndowns.set(index, burndown);
        Ok(function)
    }
}
