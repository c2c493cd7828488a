//! `GEO_DISTANCE`: along the surface of the earth.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Float64Type;

use super::plain::{Plain, fail, primitives};
use super::strings::texts;
use crate::functions::declaration::{Category, Declaration, Variation};
use crate::functions::kernel::ScalarFunction;
use crate::types::SqlType;

/// The earth's radius as ksqlDB has it.
const KILOMETRES: f64 = 6371.0;
const MILES: f64 = 3959.0;

/// The function: haversine, on a sphere.
pub fn function() -> Arc<dyn ScalarFunction> {
    const D: SqlType = SqlType::Double;
    let form = |what: &'static str| {
        Variation::new(D, what)
            .param("lat1", D, "Latitude of the first point, in degrees from -90 to 90.")
            .param("lon1", D, "Longitude of the first point, in degrees from -180 to 180.")
            .param("lat2", D, "Latitude of the second point.")
            .param("lon2", D, "Longitude of the second point.")
    };
    let declaration = Declaration::scalar(Category::Other, "GEO_DISTANCE", "The great-circle distance of two points.")
        .form(form("The distance in kilometres."))
        .form(form("The distance in a unit.").param("units", SqlType::String, "KM, also when it is NULL, or MILES."))
        .example("ROUND(GEO_DISTANCE(37.4439, -122.1663, 51.5257, -0.1122), 1)", "8634.7");
    Plain::function(declaration, |call| {
        let degrees = |index: usize, row: usize| call.args[index].as_primitive::<Float64Type>().value(row);
        let units = call.args.get(4).map(texts);
        primitives::<Float64Type>(call, "GEO_DISTANCE", |row| {
            if call.args[..4].iter().any(|arg| arg.is_null(row)) {
                return Ok(None);
            }
            let radius = match units.filter(|units| units.is_valid(row)).map(|units| units.value(row).trim()) {
                None | Some("") => KILOMETRES,
                Some(unit) => match unit.to_ascii_uppercase().as_str() {
                    "KM" | "KILOMETER" | "KILOMETERS" | "KILOMETRE" | "KILOMETRES" => KILOMETRES,
                    "MI" | "MILE" | "MILES" => MILES,
                    _ => return fail("the unit is neither KM nor MILES"),
                },
            };
            let (lat1, lon1, lat2, lon2) = (degrees(0, row), degrees(1, row), degrees(2, row), degrees(3, row));
            if [lat1, lat2].iter().any(|lat| lat.abs() > 90.0) || [lon1, lon2].iter().any(|lon| lon.abs() > 180.0) {
                return fail("a latitude is beyond 90 degrees, or a longitude beyond 180");
            }
            // The order of the operations is ksqlDB's, so that the last digits are.
            let haversine = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
            let chord =
                haversine(lat2 - lat1) + haversine(lon2 - lon1) * lat1.to_radians().cos() * lat2.to_radians().cos();
            // Opposite points may come out a little too far apart.
            let chord = if chord > 1.0 { 1.0 } else { chord };
            Ok(Some(2.0 * chord.sqrt().asin() * radius))
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::scalar::testing::{sql, sql_fails};

    #[test]
    fn distances() {
        sql(&[
            ("GEO_DISTANCE(CAST(NULL AS DOUBLE), 0, 0, 0)", "null"),
            ("GEO_DISTANCE(1, 2, 1, 2)", "0.0"),
            ("ROUND(GEO_DISTANCE(37.4439, -122.1663, 51.5257, -0.1122, 'MI'), 6)", "5365.659729"),
            ("ROUND(GEO_DISTANCE(0, 0, 0, 180, CAST(NULL AS STRING)), 3)", "20015.087"),
        ]);
        sql_fails(&[("GEO_DISTANCE(91, 0, 0, 0)", "beyond"), ("GEO_DISTANCE(1, 0, 0, 0, 'parsec')", "unit")]);
    }
}
