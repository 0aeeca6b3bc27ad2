//! The client's memory: mapped, by file I/O and by messages.

mod descriptors;
mod dirty;
mod file_queue;
mod file_queue_worker;
mod file_transfers;
mod files;
mod held;
mod many_regions;
mod mapping;
mod messages;
mod messages_hooks;
mod messages_random;
mod messages_twin;
mod sessions;
mod words;
