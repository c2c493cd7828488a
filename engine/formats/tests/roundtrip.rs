//! Properties: what was written reads back the same, and no bytes at all can do harm.
