//! kafka: see ARCHITECTURE.md.
