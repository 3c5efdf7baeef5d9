//! The contract of port 15020, row by row.

mod start;
