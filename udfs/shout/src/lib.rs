//! Text in and out, in Arroyo's plugin format.

use arroyo_udf_plugin::udf;

/// `SHOUT(text, marks)`: the text in upper case with as many exclamation marks behind it; NULL for a text that is
/// blank or missing, and one mark when their number is.
#[udf]
fn shout(text: Option<&str>, marks: Option<i32>) -> Option<String> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    let marks = usize::try_from(marks.unwrap_or(1)).expect("SHOUT takes a number of marks that is not negative");
    Some(text.to_uppercase() + &"!".repeat(marks))
}
