//! The two forms of `Debug`.

use std::error::Error as _;
use std::fmt;

use super::Error;

/// `{:?}` is the message and its causes, which a program prints whose `main` returns the error;
/// `{:#?}` is the variant with its fields, as a derived `Debug` prints them.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return self.structure(f);
        }
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Prints a variant: with a value, with named fields, or alone.
macro_rules! variants {
    ($self:ident, $f:ident; $($values:ident),*; $($structs:ident { $($field:ident),* }),*; $($units:ident),*) => {
        match $self {
            $(Error::$values(value) => $f.debug_tuple(stringify!($values)).field(value).finish(),)*
            $(Error::$structs { $($field),* } => {
                let mut fields = $f.debug_struct(stringify!($structs));
                $(fields.field(stringify!($field), $field);)*
                fields.finish()
            })*
            $(Error::$units => $f.write_str(stringify!($units)),)*
        }
    };
}

impl Error {
    fn structure(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        variants! {
            self, f;
            SocketInUse, NotASocket, Layout, SharedFile, Shared, Dma, Watch, Io, Framing, Version, Timeout,
            Argument, Pci, Protocol, Errno, UnknownValue, Stream, Unsavable, TakeOver, Device, Tool;
            Socket { path, source }, Descriptor { fd, source }, Refused { command, errno },
            Malformed { command, problem }, MapLimit { wanted, maps, bytes }, StateFile { path, source },
            State { path, source };
            NoSocket, NoDevice, Ended, Disconnected, MailboxFull, DeviceGone, SessionEnded, DeviceInUse,
            FileNotInMemory
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_alternate_form_shows_the_structure() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let socket = Error::Socket { path: "/nowhere".into(), source };
        assert_eq!(format!("{socket:?}"), "socket /nowhere cannot be used: entity not found");
        let structure =
            "Socket {\n    path: \"/nowhere\",\n    source: Kind(\n        NotFound,\n    ),\n}";
        assert_eq!(format!("{socket:#?}"), structure);
        assert_eq!(format!("{:#?}", Error::Ended), "Ended");
        let wrapped = Error::Argument(crate::ArgumentError::PageSize(3));
        assert_eq!(format!("{wrapped:#?}"), "Argument(\n    PageSize(\n        3,\n    ),\n)");
    }
}
