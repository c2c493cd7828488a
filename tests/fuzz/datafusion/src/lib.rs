//! What the SQL front end uses of DataFusion, without DataFusion, so that a fuzz target builds in seconds.

/// The tokenizer.
pub mod sql {
    pub use sqlparser;
}

/// Errors that the front end never meets.
pub mod error {
    /// An error of DataFusion.
    #[derive(Debug)]
    pub enum DataFusionError {}

    impl std::fmt::Display for DataFusionError {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            match *self {}
        }
    }

    impl DataFusionError {
        /// The error's own text.
        pub fn strip_backtrace(&self) -> String {
            match *self {}
        }
    }
}

/// Arrow.
pub mod arrow {
    /// Its errors.
    pub mod error {
        /// An error of Arrow.
        #[derive(Debug)]
        pub enum ArrowError {}

        impl std::fmt::Display for ArrowError {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match *self {}
            }
        }
    }
}
