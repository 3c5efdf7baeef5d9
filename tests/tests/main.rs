//! One test binary; each module is one part of the contract.
