//! Dates and times written straight into bytes, in the forms that Twilio uses: lists have thousands of them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Writes `2015-07-30`.
pub(crate) fn write_day(out: &mut Vec<u8>, day: Date) {
    four(out, day.year());
    out.push(b'-');
    two(out, day.month());
    out.push(b'-');
    two(out, day.day());
}

/// Writes `2015-07-30T20:00:00+00:00`.
pub(crate) fn write_offset(out: &mut Vec<u8>, at: Timestamp) {
    let at = civil(at);
    write_day(out, at.date());
    out.push(b'T');
    write_time(out, at);
    out.extend_from_slice(b"+00:00");
}

/// Writes `Thu, 30 Jul 2015 20:00:00 +0000`.
pub(crate) fn write_mail(out: &mut Vec<u8>, at: Timestamp) {
    let at = civil(at);
    out.extend_from_slice(match at.weekday() {
        Weekday::Monday => b"Mon, ",
        Weekday::Tuesday => b"Tue, ",
        Weekday::Wednesday => b"Wed, ",
        Weekday::Thursday => b"Thu, ",
        Weekday::Friday => b"Fri, ",
        Weekday::Saturday => b"Sat, ",
        Weekday::Sunday => b"Sun, ",
    });
    two(out, at.day());
    out.push(b' ');
    let month = usize::from(at.month().unsigned_abs()).saturating_sub(1);
    out.extend_from_slice(MONTHS[month.min(MONTHS.len() - 1)]);
    out.push(b' ');
    four(out, at.year());
    out.push(b' ');
    write_time(out, at);
    out.extend_from_slice(b" +0000");
}

fn civil(at: Timestamp) -> DateTime {
    jiff::tz::Offset::UTC.to_datetime(at)
}

fn write_time(out: &mut Vec<u8>, at: DateTime) {
    two(out, at.hour());
    out.push(b':');
    two(out, at.minute());
    out.push(b':');
    two(out, at.second());
}

fn two(out: &mut Vec<u8>, number: i8) {
    let number = number.unsigned_abs();
    out.extend_from_slice(&[b'0' + number / 10 % 10, b'0' + number % 10]);
}

fn four(out: &mut Vec<u8>, number: i16) {
    let digit = |power: u16| b'0' + u8::try_from(number.unsigned_abs() / power % 10).unwrap_or(0);
    out.extend_from_slice(&[digit(1000), digit(100), digit(10), digit(1)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_written_as_twilio_writes_them() {
        let mut at: Timestamp = "2023-12-28T23:59:58.999Z".parse().unwrap();
        for _ in 0..800 {
            let mail = at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
            assert_eq!(text(|out| write_mail(out, at)), mail);
            let offset = at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
            assert_eq!(text(|out| write_offset(out, at)), offset);
            at += std::time::Duration::from_secs(86_400 + 3601);
        }
    }
}
