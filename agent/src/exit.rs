//! How a command fails: the exit code (sysexits.h) and the one line on stderr that says why.

/// What was to be asked gives no answer that can be one; 1 and 2 are no codes of sysexits.h.
pub const UNREACHABLE: u8 = 2;

/// A failed command. The message carries the input and names the fix; it is printed as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The process's exit code.
    pub exit: u8,
    /// One line, without the program's name in front.
    pub message: String,
}

impl Failure {
    /// The command line is wrong (EX_USAGE, 64). The message names the flag.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: 64, message: message.into() }
    }

    /// The input is wrong (EX_DATAERR, 65). The message names file, document and field.
    pub fn data(message: impl Into<String>) -> Self {
        Self { exit: 65, message: message.into() }
    }

    /// An input file is missing or cannot be read (EX_NOINPUT, 66).
    pub fn no_input(message: impl Into<String>) -> Self {
        Self { exit: 66, message: message.into() }
    }

    /// A fault of this program (EX_SOFTWARE, 70).
    pub fn internal(message: impl Into<String>) -> Self {
        Self { exit: 70, message: message.into() }
    }

    /// The system refused something (EX_OSERR, 71): a taken address, a descriptor, a signal.
    pub fn system(message: impl Into<String>) -> Self {
        Self { exit: 71, message: message.into() }
    }

    /// What was to be asked gives no answer that can be one.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { exit: UNREACHABLE, message: message.into() }
    }

    /// The same, of what has this name.
    #[must_use]
    pub fn of(self, name: &str) -> Self {
        Self { message: format!("{name}: {}", self.message), ..self }
    }
}
