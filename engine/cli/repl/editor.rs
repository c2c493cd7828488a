//! The line editor put together: keys, menu, history, and what follows the line while it is typed.

use nu_ansi_term::{Color, Style};
use reedline::{
    DescriptionMode, EditCommand, Emacs, IdeMenu, KeyCode, KeyModifiers, MenuBuilder, Reedline, ReedlineEvent,
    ReedlineMenu, default_emacs_keybindings,
};

use super::complete::{SessionNames, SqlCompleter};
use super::highlight::SqlHighlighter;
use super::hint::ShellHinter;
use super::history::ShellHistory;
use super::typed::Typed;
use super::validate::StatementValidator;

/// What Ctrl-O asks of the shell: the line in the user's editor.
pub const EDIT_LINE: &str = "edit";

const MENU: &str = "completion";

/// A line editor over these names; `typed` follows the line.
pub fn editor(names: &SessionNames, history: ShellHistory, typed: &Typed, coloured: bool) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let next = ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.into()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, next);
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
    keys.add_binding(
        KeyModifiers::CONTROL,
        KeyCode::Char('o'),
        ReedlineEvent::ExecuteHostCommand(EDIT_LINE.to_string()),
    );
    let selected = if coloured { Style::new().fg(Color::Black).on(Color::Cyan) } else { Style::new() };
    let menu = IdeMenu::default()
        .with_name(MENU)
        .with_marker("> ")
        // Without colours the selected line has a mark before it.
        .with_selected_text_style(selected)
        .with_max_completion_height(12)
        .with_min_description_width(40)
        .with_max_description_width(60)
        .with_description_mode(DescriptionMode::PreferRight)
        .with_default_border();
    Reedline::create()
        .with_ansi_colors(coloured)
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_history(Box::new(history))
        .with_validator(Box::new(StatementValidator))
        .with_highlighter(Box::new(SqlHighlighter::new(Box::new(names.clone()), typed.clone())))
        .with_hinter(Box::new(ShellHinter::new(Box::new(names.clone()))))
        .with_completer(Box::new(SqlCompleter::new(Box::new(names.clone()))))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .use_bracketed_paste(true)
}
