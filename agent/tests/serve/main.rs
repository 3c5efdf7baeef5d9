//! `app-health-agent serve`, end to end: the real binary, real sockets.
//!
//! | module | what it shows |
//! |---|---|
//! | [`checks`] | accepting, refused, hanging ports; whose addresses; source; time |
//! | [`requests`] | paths, methods, headers, garbage |
//! | [`crowd`] | many checks of a port that hangs, ten thousand silent clients, more checks than ports |
//! | [`listen`] | addresses that it takes and refuses, Unix sockets |
//! | [`stop`] | SIGTERM, SIGINT, a second one |
//! | [`agent`] | the process under test |

mod agent;
mod checks;
mod crowd;
mod listen;
mod requests;
mod stop;
