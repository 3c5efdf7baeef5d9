//! What the tests and the demo are made of.
