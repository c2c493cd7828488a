//! Statements back to text, in canonical form.
