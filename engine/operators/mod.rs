//! operators: see ARCHITECTURE.md.
