//! Quantities as people read them, the same in every view.

/// `90 ms`, `4.2 s`, `3 min 05 s`, `2 h 07 min`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `512 B`, `4.1 KiB`, `12.0 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_unit_in_which_they_are_short() {
        let reported = [0, 1023, 1024, 1_048_575, 1_048_576, 5 << 30, u64::MAX].map(bytes).join(", ");
        assert_eq!(reported, "0 B, 1023 B, 1.0 KiB, 1.0 MiB, 1.0 MiB, 5.0 GiB, 16777216.0 TiB");
    }
}
