//! `CREATE`, `DROP` and `ALTER`.
//!
//! Models have their words reserved here: refused by name until they exist.

use super::super::ast::{
    ColumnConstraint, ColumnDef, CreateAsSelect, CreateFunction, CreateSource, Ident, SourceKind, StatementKind,
};
use super::Parser;
use crate::error::{Code, Error, Result, Span};

impl Parser<'_> {
    /// What follows `CREATE`.
    pub(super) fn create(&mut self) -> Result<StatementKind> {
        let verb = self.taken();
        let start = self.span();
        let or_replace = self.eat("OR");
        if or_replace {
            self.expect("REPLACE")?;
        }
        let replace_at = self.since(start);
        self.reject_future("CREATE", verb)?;
        let source = self.span();
        if self.eat("SOURCE") {
            if let Some(kind) = self.source_kind() {
                return self.create_source(kind, or_replace, Some(source));
            }
            return self.create_connector(true, or_replace);
        }
        if self.eat("SINK") {
            return self.create_connector(false, or_replace);
        }
        if let Some(kind) = self.source_kind() {
            return self.create_source(kind, or_replace, None);
        }
        if self.is_word(0, "CONNECTOR") {
            return Err(Error::refused(Code::Syntax, "expected SOURCE or SINK before CONNECTOR").at(self.span()));
        }
        if self.eat("FUNCTION") {
            return self.create_function(or_replace);
        }
        if self.eat("TYPE") {
            if or_replace {
                return Err(Error::unsupported("CREATE OR REPLACE TYPE", replace_at).hint("Drop the type first."));
            }
            let if_not_exists = self.if_not_exists()?;
            let name = self.ident("a type name")?;
            self.expect("AS")?;
            return Ok(StatementKind::CreateType { if_not_exists, name, ty: self.type_expr()? });
        }
        Err(self.unexpected())
    }

    /// `STREAM | TABLE`.
    pub(super) fn source_kind(&mut self) -> Option<SourceKind> {
        if self.eat("STREAM") {
            Some(SourceKind::Stream)
        } else if self.eat("TABLE") {
            Some(SourceKind::Table)
        } else {
            None
        }
    }

    fn create_source(&mut self, kind: SourceKind, or_replace: bool, source: Option<Span>) -> Result<StatementKind> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.ident(match kind {
            SourceKind::Stream => "a name for the stream",
            SourceKind::Table => "a name for the table",
        })?;
        let columns_at = self.span();
        let columns = self.column_defs()?;
        let columns_end = self.since(columns_at);
        let properties = self.with_clause()?;
        if !self.is_word(0, "AS") {
            self.note("AS SELECT");
            let source = source.is_some();
            return Ok(StatementKind::CreateSource(CreateSource {
                kind,
                or_replace,
                source,
                if_not_exists,
                name,
                columns,
                properties,
            }));
        }
        if let Some(source) = source {
            return Err(Error::refused(
                Code::Misplaced,
                "a SOURCE stream or table is read-only and cannot be the result of a query",
            )
            .at(source));
        }
        if !columns.is_empty() {
            return Err(Error::refused(Code::Syntax, "a stream or table made by a query has no column list")
                .at(columns_end)
                .hint("Its columns are those of the query; name them there with AS."));
        }
        self.advance();
        let query = self.query()?;
        Ok(StatementKind::CreateAsSelect(CreateAsSelect { kind, or_replace, if_not_exists, name, properties, query }))
    }

    /// `[(name type [KEY | PRIMARY KEY | HEADERS | HEADER('name')], ...)]`.
    pub(super) fn column_defs(&mut self) -> Result<Vec<ColumnDef>> {
        if !self.eat_symbol("(") {
            return Ok(Vec::new());
        }
        let columns = self.comma_list(Self::column_def)?;
        self.expect_symbol(")")?;
        Ok(columns)
    }

    fn column_def(&mut self) -> Result<ColumnDef> {
        let start = self.span();
        let name = self.ident("a column name")?;
        let ty = self.type_expr()?;
        let constraint = if self.eat("PRIMARY") {
            self.expect("KEY")?;
            Some(ColumnConstraint::PrimaryKey)
        } else if self.eat("KEY") {
            Some(ColumnConstraint::Key)
        } else if self.eat("HEADERS") {
            Some(ColumnConstraint::Headers)
        } else if self.eat("HEADER") {
            self.expect_symbol("(")?;
            let header = self.string("a header's name in single quotes")?;
            self.expect_symbol(")")?;
            Some(ColumnConstraint::Header(header.value))
        } else {
            None
        };
        Ok(ColumnDef { name, ty, constraint, span: self.since(start) })
    }

    fn create_connector(&mut self, source: bool, or_replace: bool) -> Result<StatementKind> {
        self.expect("CONNECTOR")?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.ident("a name for the connector")?;
        if !self.is_word(0, "WITH") {
            self.note("WITH");
            return Err(self.unexpected());
        }
        let properties = self.with_clause()?;
        Ok(StatementKind::CreateConnector { or_replace, source, if_not_exists, name, properties })
    }

    /// What follows `FUNCTION`: `[IF NOT EXISTS] name FROM 'path'`.
    fn create_function(&mut self, or_replace: bool) -> Result<StatementKind> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.ident("a name for the function")?;
        let hint = "A function comes from Rust source or a library: CREATE FUNCTION f FROM 'f/src/lib.rs'.";
        self.expect("FROM").map_err(|error| error.hint(hint))?;
        let path = self.string("a path in single quotes")?;
        Ok(StatementKind::CreateFunction(CreateFunction { or_replace, if_not_exists, name, path }))
    }

    /// What follows `DROP`.
    pub(super) fn drop_statement(&mut self) -> Result<StatementKind> {
        self.reject_future("DROP", self.taken())?;
        if let Some(kind) = self.source_kind() {
            let if_exists = self.if_exists();
            let name = self.ident("a stream or table")?;
            let delete_topic = self.eat("DELETE");
            if delete_topic {
                self.expect("TOPIC")?;
            }
            Ok(StatementKind::DropSource { kind, if_exists, name, delete_topic })
        } else if self.eat("CONNECTOR") {
            Ok(StatementKind::DropConnector { if_exists: self.if_exists(), name: self.ident("a connector")? })
        } else if self.eat("FUNCTION") {
            Ok(StatementKind::DropFunction { if_exists: self.if_exists(), name: self.ident("a function")? })
        } else if self.eat("TYPE") {
            Ok(StatementKind::DropType { if_exists: self.if_exists(), name: self.ident("a type name")? })
        } else {
            Err(self.unexpected())
        }
    }

    /// What follows `ALTER`.
    pub(super) fn alter(&mut self) -> Result<StatementKind> {
        if self.eat("SYSTEM") {
            let name = self.property_name()?;
            self.expect_symbol("=")?;
            let value = self.string("a value in single quotes")?;
            return Ok(StatementKind::AlterSystem { name, value });
        }
        let Some(kind) = self.source_kind() else { return Err(self.unexpected()) };
        let name = self.ident("a stream or table")?;
        let columns = self.comma_list(Self::added_column)?;
        Ok(StatementKind::AlterSource { kind, name, columns })
    }

    /// `ADD [COLUMN] name type`; a column may itself be called `COLUMN`.
    fn added_column(&mut self) -> Result<ColumnDef> {
        self.expect("ADD")?;
        if self.is_word(0, "COLUMN")
            && let Ok(column) = self.attempt(|parser| {
                parser.advance();
                parser.plain_column()
            })
        {
            return Ok(column);
        }
        self.note("COLUMN");
        self.plain_column()
    }

    fn plain_column(&mut self) -> Result<ColumnDef> {
        let start = self.span();
        let name = self.ident("a column name")?;
        let ty = self.type_expr()?;
        Ok(ColumnDef { name, ty, constraint: None, span: self.since(start) })
    }

    /// Refuses models, naming the statement, which begins at `start`.
    fn reject_future(&mut self, verb: &str, start: Span) -> Result<()> {
        // `CREATE MODEL` and the like; nothing else in the grammar has this word here.
        if self.is_word(0, "MODEL") {
            self.advance();
            return Err(Error::unsupported(format!("{verb} MODEL"), self.since(start)));
        }
        Ok(())
    }

    /// What follows `PAUSE` or `RESUME` when it is about a connector. A query's id may itself be `CONNECTOR`.
    pub(super) fn paused_connector(&mut self) -> Result<Option<Ident>> {
        if self.is_word(0, "CONNECTOR") && self.is_name(1) {
            self.advance();
            return self.ident("a connector").map(Some);
        }
        Ok(None)
    }

    /// The id of a query, or `None` for `ALL`.
    pub(super) fn query_id(&mut self) -> Result<Option<Ident>> {
        if self.eat("ALL") {
            return Ok(None);
        }
        self.ident("a query's id").map(Some)
    }
}
