//! Errors over the text they point into, for people to read.

/// The candidate nearest to `name`, if one is near enough to be what was meant.
///
/// Near are names that differ in case only, or in at most a third of their letters (a swap of two neighbours counts
/// once); for names of one or two letters only the case may differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_uppercase();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters = folded.chars().count().min(candidate.chars().count());
            let distance = strsim::osa_distance(&folded, &candidate.to_uppercase());
            let allowed = if letters <= 2 { 0 } else { (letters / 3).max(1) };
            (distance <= allowed && candidate != name).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
