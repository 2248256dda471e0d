//! Units that can be compared: UCUM codes with their dimension and their size in its base, exact.
//!
//! What is not here is compared with the same unit alone: units with an offset (degrees Celsius and Fahrenheit), logarithms
//! (pH), arbitrary units of different tests, and molar amounts with masses, which the substance decides.

/// The code system of UCUM.
pub const UCUM: &str = "http://unitsofmeasure.org";

/// An exact factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio {
    pub(super) over: u128,
    pub(super) under: u128,
}

impl Ratio {
    pub(super) const ONE: Self = Self { over: 1, under: 1 };
}

/// Units of one dimension: code, then its size as a fraction.
type Dimension = &'static [(&'static str, u128, u128)];

const MASS: Dimension = &[
    ("g", 1, 1),
    ("kg", 1_000, 1),
    ("mg", 1, 1_000),
    ("ug", 1, 1_000_000),
    ("ng", 1, 1_000_000_000),
    ("pg", 1, 1_000_000_000_000),
    ("t", 1_000_000, 1),
    ("[lb_av]", 45_359_237, 100_000),
    ("[oz_av]", 45_359_237, 1_600_000),
];
const LENGTH: Dimension = &[
    ("m", 1, 1),
    ("dm", 1, 10),
    ("cm", 1, 100),
    ("mm", 1, 1_000),
    ("um", 1, 1_000_000),
    ("nm", 1, 1_000_000_000),
    ("km", 1_000, 1),
    ("[in_i]", 254, 10_000),
    ("[ft_i]", 3_048, 10_000),
    ("[yd_i]", 9_144, 10_000),
    ("[mi_i]", 1_609_344, 1_000),
];
const AREA: Dimension = &[("m2", 1, 1), ("dm2", 1, 100), ("cm2", 1, 10_000), ("mm2", 1, 1_000_000)];
const VOLUME: Dimension = &[
    ("L", 1, 1),
    ("l", 1, 1),
    ("dL", 1, 10),
    ("dl", 1, 10),
    ("cL", 1, 100),
    ("cl", 1, 100),
    ("mL", 1, 1_000),
    ("ml", 1, 1_000),
    ("uL", 1, 1_000_000),
    ("ul", 1, 1_000_000),
    ("nL", 1, 1_000_000_000),
    ("pL", 1, 1_000_000_000_000),
    ("fL", 1, 1_000_000_000_000_000),
    ("fl", 1, 1_000_000_000_000_000),
    ("m3", 1_000, 1),
    ("dm3", 1, 1),
    ("cm3", 1, 1_000),
    ("mm3", 1, 1_000_000),
];
const TIME: Dimension = &[
    ("s", 1, 1),
    ("ms", 1, 1_000),
    ("us", 1, 1_000_000),
    ("min", 60, 1),
    ("h", 3_600, 1),
    ("d", 86_400, 1),
    ("wk", 604_800, 1),
    ("mo", 2_629_800, 1),
    ("mo_j", 2_629_800, 1),
    ("a", 31_557_600, 1),
    ("a_j", 31_557_600, 1),
];
const AMOUNT: Dimension =
    &[("mol", 1, 1), ("mmol", 1, 1_000), ("umol", 1, 1_000_000), ("nmol", 1, 1_000_000_000)];
const MASS_CONCENTRATION: Dimension = &[
    ("g/L", 1, 1),
    ("g/l", 1, 1),
    ("kg/m3", 1, 1),
    ("kg/L", 1_000, 1),
    ("g/mL", 1_000, 1),
    ("g/dL", 10, 1),
    ("g/dl", 10, 1),
    ("mg/mL", 1, 1),
    ("mg/dL", 1, 100),
    ("mg/dl", 1, 100),
    ("mg/L", 1, 1_000),
    ("mg/l", 1, 1_000),
    ("ug/mL", 1, 1_000),
    ("ug/dL", 1, 100_000),
    ("ug/L", 1, 1_000_000),
    ("ng/mL", 1, 1_000_000),
    ("ng/dL", 1, 100_000_000),
    ("ng/L", 1, 1_000_000_000),
    ("pg/mL", 1, 1_000_000_000),
    ("pg/dL", 1, 100_000_000_000),
    ("pg/L", 1, 1_000_000_000_000),
];
const MOLAR_CONCENTRATION: Dimension = &[
    ("mol/L", 1, 1),
    ("mol/l", 1, 1),
    ("mol/m3", 1, 1_000),
    ("mmol/L", 1, 1_000),
    ("mmol/l", 1, 1_000),
    ("mmol/dL", 1, 100),
    ("umol/L", 1, 1_000_000),
    ("umol/l", 1, 1_000_000),
    ("umol/dL", 1, 100_000),
    ("umol/mL", 1, 1_000),
    ("nmol/L", 1, 1_000_000_000),
    ("nmol/mL", 1, 1_000_000),
    ("nmol/dL", 1, 100_000_000),
    ("pmol/L", 1, 1_000_000_000_000),
    ("pmol/mL", 1, 1_000_000_000),
    ("pmol/dL", 1, 100_000_000_000),
];
const EQUIVALENTS: Dimension =
    &[("eq/L", 1, 1), ("meq/L", 1, 1_000), ("meq/dL", 1, 100), ("ueq/L", 1, 1_000_000)];
const OSMOLALITY: Dimension = &[("osm/kg", 1, 1), ("mosm/kg", 1, 1_000)];
/// Particles of a volume, per microlitre.
const NUMBER_CONCENTRATION: Dimension = &[
    ("/uL", 1, 1),
    ("/ul", 1, 1),
    ("/mm3", 1, 1),
    ("/mL", 1, 1_000),
    ("/dL", 1, 100_000),
    ("/L", 1, 1_000_000),
    ("10*3/uL", 1_000, 1),
    ("10*3/ul", 1_000, 1),
    ("10*3/mm3", 1_000, 1),
    ("10*3/mL", 1, 1),
    ("10*6/uL", 1_000_000, 1),
    ("10*6/mL", 1_000, 1),
    ("10*6/L", 1, 1),
    ("10*9/L", 1_000, 1),
    ("10*12/L", 1_000_000, 1),
    ("{cells}/uL", 1, 1),
];
const PRESSURE: Dimension = &[
    ("Pa", 1, 1),
    ("hPa", 100, 1),
    ("kPa", 1_000, 1),
    ("bar", 100_000, 1),
    ("mbar", 100, 1),
    ("mm[Hg]", 133_322, 1_000),
    ("cm[H2O]", 980_665, 10_000),
];
const FREQUENCY: Dimension = &[
    ("/s", 1, 1),
    ("Hz", 1, 1),
    ("/min", 1, 60),
    ("{beats}/min", 1, 60),
    ("{Beats}/min", 1, 60),
    ("{breaths}/min", 1, 60),
    ("{Breaths}/min", 1, 60),
    ("{resp}/min", 1, 60),
    ("/h", 1, 3_600),
    ("/d", 1, 86_400),
];
const FRACTION: Dimension =
    &[("1", 1, 1), ("%", 1, 100), ("10*-2", 1, 100), ("[ppth]", 1, 1_000), ("[ppm]", 1, 1_000_000)];
const ENERGY: Dimension =
    &[("J", 1, 1), ("kJ", 1_000, 1), ("cal", 4_184, 1_000), ("kcal", 4_184, 1), ("[Cal]", 4_184, 1)];
const CATALYTIC_CONCENTRATION: Dimension = &[
    ("U/L", 1, 1),
    ("U/l", 1, 1),
    ("kU/L", 1_000, 1),
    ("U/mL", 1_000, 1),
    ("U/dL", 10, 1),
    ("mU/mL", 1, 1),
    ("mU/L", 1, 1_000),
    ("uU/mL", 1, 1_000),
];
const ARBITRARY_CONCENTRATION: Dimension = &[
    ("[IU]/L", 1, 1),
    ("[IU]/mL", 1_000, 1),
    ("[IU]/dL", 10, 1),
    ("k[IU]/L", 1_000, 1),
    ("m[IU]/mL", 1, 1),
    ("m[IU]/L", 1, 1_000),
    ("u[IU]/mL", 1, 1_000),
];
const FLOW: Dimension = &[
    ("L/min", 1, 1),
    ("L/s", 60, 1),
    ("L/h", 1, 60),
    ("mL/min", 1, 1_000),
    ("mL/s", 60, 1_000),
    ("mL/h", 1, 60_000),
];
const DOSE_OF_WEIGHT: Dimension = &[
    ("g/kg", 1, 1),
    ("mg/kg", 1, 1_000),
    ("ug/kg", 1, 1_000_000),
    ("ng/kg", 1, 1_000_000_000),
    ("mg/g", 1, 1),
];
const MASS_OF_AREA: Dimension =
    &[("kg/m2", 1, 1), ("g/m2", 1, 1_000), ("mg/m2", 1, 1_000_000), ("g/cm2", 10, 1)];

const DIMENSIONS: [Dimension; 20] = [
    MASS,
    LENGTH,
    AREA,
    VOLUME,
    TIME,
    AMOUNT,
    MASS_CONCENTRATION,
    MOLAR_CONCENTRATION,
    EQUIVALENTS,
    OSMOLALITY,
    NUMBER_CONCENTRATION,
    PRESSURE,
    FREQUENCY,
    FRACTION,
    ENERGY,
    CATALYTIC_CONCENTRATION,
    ARBITRARY_CONCENTRATION,
    FLOW,
    DOSE_OF_WEIGHT,
    MASS_OF_AREA,
];

/// Every unit of a unit's dimension, itself among them, with how many of it one of the unit is; none when the unit is
/// not in the table.
pub(super) fn comparable(unit: &str) -> Vec<(&'static str, Ratio)> {
    for dimension in DIMENSIONS {
        if let Some((_, over, under)) = dimension.iter().find(|(code, ..)| *code == unit) {
            let ratio = |(code, own_over, own_under): &(&'static str, u128, u128)| {
                (*code, Ratio { over: over * own_under, under: under * own_over })
            };
            return dimension.iter().map(ratio).collect();
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{DIMENSIONS, Ratio, comparable};

    #[test]
    fn a_unit_has_one_dimension_and_a_size() {
        let mut seen = BTreeSet::new();
        for (code, over, under) in DIMENSIONS.iter().flat_map(|dimension| dimension.iter()) {
            assert!(seen.insert(*code), "{code} twice");
            assert!(*over > 0 && *under > 0, "{code}");
        }
        assert!(seen.len() > 150);
    }

    #[test]
    fn ratios_go_both_ways() {
        let of = |from: &str, to: &str| comparable(from).into_iter().find(|(code, _)| *code == to).unwrap().1;
        for (from, to, over, under) in [
            ("kg", "g", 1_000, 1),
            ("g", "kg", 1, 1_000),
            ("[in_i]", "cm", 25_400, 10_000),
            ("10*9/L", "10*3/uL", 1_000, 1_000),
        ] {
            assert_eq!(of(from, to), Ratio { over, under }, "{from} {to}");
        }
        assert_eq!(comparable("Cel"), []);
        assert_eq!(comparable("KG"), [], "codes keep their case");
    }
}
