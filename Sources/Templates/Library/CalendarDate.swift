#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The date and time that a template may ask for, without a time zone.
public struct CalendarDate: Sendable, Hashable {
  public let year: Int
  /// From 1.
  public let month: Int
  /// From 1.
  public let day: Int
  public let hour: Int
  public let minute: Int
  public let second: Int

  public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
    (self.year, self.month, self.day) = (year, month, day)
    (self.hour, self.minute, self.second) = (hour, minute, second)
  }

  /// Local time.
  public static var now: CalendarDate {
    var seconds = time(nil)
    var parts = unsafe tm()
    unsafe localtime_r(&seconds, &parts)
    return unsafe CalendarDate(
      year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday),
      hour: Int(parts.tm_hour), minute: Int(parts.tm_min), second: Int(parts.tm_sec))
  }

  /// The date in the format of `strftime`, with the names of the C locale, as Python gives it.
  func formatted(_ format: String) throws(TemplateError) -> String {
    var parts = unsafe tm()
    unsafe (parts.tm_year, parts.tm_mon, parts.tm_mday) = (
      Int32(year - 1900), Int32(month - 1), Int32(day)
    )
    unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec) = (Int32(hour), Int32(minute), Int32(second))
    // Fills in the days of the week and of the year.
    _ = unsafe timegm(&parts)
    // An empty result is no failure when there is something behind it.
    let format = withoutZone(format) + "."
    var buffer = [CChar](repeating: 0, count: 1024 + 16 * format.utf8.count)
    let length = unsafe strftime(&buffer, buffer.count, format, &parts)
    guard length > 0, !format.utf8.contains(0) else {
      throw TemplateError(.evaluation, "'strftime_now' cannot write the format '\(format)'")
    }
    return String(
      decoding: buffer.prefix(length - 1).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// The format with what C does not know replaced: microseconds, and the zone of a time without.
  private func withoutZone(_ format: String) -> String {
    var result = ""
    var rest = format[...]
    while let percent = rest.firstIndex(of: "%") {
      result += rest[..<percent]
      let directive = rest[percent...].prefix(2)
      rest = rest[percent...].dropFirst(2)
      switch directive {
      case "%f": result += "000000"
      case "%z", "%Z": break
      // A percent sign at the end stands for itself.
      case "%": result += "%%"
      default: result += directive
      }
    }
    return result + rest
  }
}
