//! Which casts exist, and which happen by themselves.

use crate::types::SqlType;

/// Whether `CAST(x AS to)` exists for an `x` of type `from`.
pub fn can_cast(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::*;
    if from == to {
        return true;
    }
    match (from, to) {
        (Bytes, String) => false,
        (_, String) => true,
        (String, Array(_) | Map(..) | Struct(_)) => false,
        (String, _) => true,
        (Timestamp, Time | Date) | (Date, Timestamp) => true,
        (Array(from), Array(to)) => can_cast(from, to),
        (Map(from_key, from_value), Map(to_key, to_value)) => {
            can_cast(from_key, to_key) && can_cast(from_value, to_value)
        }
        (Struct(from), Struct(to)) => from
            .iter()
            .all(|(name, ty)| to.iter().find(|(other, _)| other == name).is_none_or(|(_, other)| can_cast(ty, other))),
        _ => from.is_numeric() && to.is_numeric(),
    }
}

/// The narrowest type that holds all values of both, or `None` when there is none.
///
/// Numbers widen from `INTEGER` over `BIGINT` and `DECIMAL` to `DOUBLE`; as a decimal `INTEGER` has 10 digits and
/// `BIGINT` 19. Arrays and maps widen by their parts; a struct gets the fields of both, those of `a` first.
pub fn widen(a: &SqlType, b: &SqlType) -> Option<SqlType> {
    use SqlType::*;
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (Array(a), Array(b)) => Some(Array(Box::new(widen(a, b)?))),
        (Map(a_key, a_value), Map(b_key, b_value)) => {
            Some(Map(Box::new(widen(a_key, b_key)?), Box::new(widen(a_value, b_value)?)))
        }
        (Struct(a), Struct(b)) => {
            let mut fields = a.clone();
            for (name, ty) in b {
                match fields.iter_mut().find(|(other, _)| other == name) {
                    Some((_, other)) => *other = widen(other, ty)?,
                    None => fields.push((name.clone(), ty.clone())),
                }
            }
            Some(Struct(fields))
        }
        _ if !a.is_numeric() || !b.is_numeric() => None,
        (Double, _) | (_, Double) => Some(Double),
        (Decimal(..), _) | (_, Decimal(..)) => {
            let ((a_precision, a_scale), (b_precision, b_scale)) = (as_decimal(a)?, as_decimal(b)?);
            let scale = a_scale.max(b_scale);
            let whole = (a_precision - a_scale).max(b_precision - b_scale);
            Some(Decimal(whole.checked_add(scale)?, scale))
        }
        _ => Some(Bigint),
    }
}

/// Whether a value of type `from` is taken where `to` is declared, without a `CAST`.
///
/// That is: a number where it widens without loss of digits, text where a time, a date or a timestamp is asked for,
/// and arrays, maps and structs with the same fields whose parts fit.
pub fn fits_implicitly(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::*;
    if from == to {
        return true;
    }
    match (from, to) {
        (String, Time | Date | Timestamp) => true,
        (Integer, Bigint) => true,
        (Integer | Bigint | Decimal(..), Double) => true,
        (Integer | Bigint | Decimal(..), Decimal(precision, scale)) => as_decimal(from)
            .is_some_and(|(from, from_scale)| from_scale <= *scale && from - from_scale <= precision - scale),
        (Array(from), Array(to)) => fits_implicitly(from, to),
        (Map(from_key, from_value), Map(to_key, to_value)) => {
            fits_implicitly(from_key, to_key) && fits_implicitly(from_value, to_value)
        }
        (Struct(from), Struct(to)) => {
            from.len() == to.len()
                && from.iter().all(|(name, ty)| {
                    to.iter().find(|(other, _)| other == name).is_some_and(|(_, other)| fits_implicitly(ty, other))
                })
        }
        _ => false,
    }
}

/// Precision and scale of a number as a decimal; doubles have none.
fn as_decimal(ty: &SqlType) -> Option<(u8, u8)> {
    match ty {
        SqlType::Integer => Some((10, 0)),
        SqlType::Bigint => Some((19, 0)),
        SqlType::Decimal(precision, scale) => Some((*precision, *scale)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::SqlType::*;
    use super::*;

    fn array(ty: SqlType) -> SqlType {
        Array(Box::new(ty))
    }

    #[test]
    fn numbers_widen_in_one_direction() {
        assert_eq!(widen(&Integer, &Bigint), Some(Bigint));
        assert_eq!(widen(&Bigint, &Decimal(4, 2)), Some(Decimal(21, 2)));
        assert_eq!(widen(&Decimal(4, 2), &Decimal(5, 4)), Some(Decimal(6, 4)));
        assert_eq!(widen(&Decimal(4, 2), &Double), Some(Double));
        assert_eq!(widen(&String, &Integer), None);
        assert_eq!(widen(&array(Integer), &array(Double)), Some(array(Double)));
    }

    #[test]
    fn structs_widen_to_the_fields_of_both() {
        let a = Struct(vec![("A".into(), Integer), ("B".into(), String)]);
        let b = Struct(vec![("C".into(), Boolean), ("A".into(), Bigint)]);
        let both = Struct(vec![("A".into(), Bigint), ("B".into(), String), ("C".into(), Boolean)]);
        assert_eq!(widen(&a, &b), Some(both));
    }

    #[test]
    fn nothing_narrows_by_itself() {
        assert!(fits_implicitly(&Integer, &Decimal(10, 0)));
        assert!(!fits_implicitly(&Integer, &Decimal(10, 2)));
        assert!(!fits_implicitly(&Bigint, &Integer));
        assert!(!fits_implicitly(&Double, &Decimal(38, 10)));
        assert!(fits_implicitly(&String, &Timestamp));
        assert!(!fits_implicitly(&Integer, &String));
    }

    #[test]
    fn casts_exist_by_the_table() {
        assert!(can_cast(&Double, &Integer));
        assert!(can_cast(&array(Bigint), &array(String)));
        assert!(can_cast(&Struct(vec![("A".into(), Integer)]), &Struct(vec![("B".into(), Boolean)])));
        assert!(!can_cast(&Bytes, &String));
        assert!(!can_cast(&String, &array(Integer)));
        assert!(!can_cast(&Boolean, &Integer));
        assert!(!can_cast(&Time, &Timestamp));
    }
}
