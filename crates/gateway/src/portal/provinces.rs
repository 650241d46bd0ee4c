//! The names of provinces in Latin letters, for English pages: the table of divisions has Chinese ones only.

use sources::Region;

/// The first two digits of a division code (GB/T 2260), and the name as it is usual in English.
const NAMES: [(&str, &str); 35] = [
    ("11", "Beijing"),
    ("12", "Tianjin"),
    ("13", "Hebei"),
    ("14", "Shanxi"),
    ("15", "Inner Mongolia"),
    ("21", "Liaoning"),
    ("22", "Jilin"),
    ("23", "Heilongjiang"),
    ("31", "Shanghai"),
    ("32", "Jiangsu"),
    ("33", "Zhejiang"),
    ("34", "Anhui"),
    ("35", "Fujian"),
    ("36", "Jiangxi"),
    ("37", "Shandong"),
    ("41", "Henan"),
    ("42", "Hubei"),
    ("43", "Hunan"),
    ("44", "Guangdong"),
    ("45", "Guangxi"),
    ("46", "Hainan"),
    ("50", "Chongqing"),
    ("51", "Sichuan"),
    ("52", "Guizhou"),
    ("53", "Yunnan"),
    ("54", "Xizang"),
    ("61", "Shaanxi"),
    ("62", "Gansu"),
    ("63", "Qinghai"),
    ("64", "Ningxia"),
    ("65", "Xinjiang"),
    ("71", "Taiwan"),
    ("81", "Hong Kong"),
    ("82", "Macao"),
    // In the numbers of residence permits.
    ("83", "Taiwan"),
];

/// The name of a region's province; for less than a province with the digits of the region.
pub(super) fn english(region: &Region) -> String {
    let code = region.division_code();
    let name = NAMES.iter().find(|(digits, _)| code.starts_with(digits));
    let name = name.map_or(code.as_str(), |(_, name)| name);
    match code.trim_end_matches("00") {
        province if province.len() == 2 => name.to_owned(),
        part => format!("{name} ({part})"),
    }
}

#[cfg(test)]
mod tests {
    use domain::identifiers::Area;

    use super::*;

    #[test]
    fn every_province_has_a_name() {
        for digits in 10..100 {
            let digits = digits.to_string();
            let is_province = Area::parse(&digits).is_some_and(|area| area.name().is_some());
            let is_named = NAMES.iter().any(|(code, _)| *code == digits);
            assert_eq!(is_named, is_province, "{digits}");
        }
    }
}
