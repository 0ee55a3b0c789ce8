/// A float as Python's `repr` writes it: the fewest digits that give it back, without exponent
/// from 1e-4 up to 1e16.
func pythonText(of value: Double) -> String {
  guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
  let (digits, exponent) = decimalDigits(of: value.magnitude)
  let sign = value.sign == .minus ? "-" : ""
  func zeros(_ count: Int) -> String { String(repeating: "0", count: count) }
  switch exponent {
  case -4..<0: return sign + "0." + zeros(-exponent - 1) + digits
  case 0..<16 where digits.count <= exponent + 1:
    return sign + digits + zeros(exponent + 1 - digits.count) + ".0"
  case 0..<16: return sign + digits.prefix(exponent + 1) + "." + digits.dropFirst(exponent + 1)
  default:
    let mantissa = digits.count == 1 ? digits : digits.prefix(1) + "." + digits.dropFirst()
    let power = "\(exponent.magnitude)"
    return sign + mantissa + (exponent < 0 ? "e-" : "e+") + (power.count < 2 ? "0" : "") + power
  }
}

/// The shortest digits of a float that is not negative, and the power of ten of the first.
private func decimalDigits(of value: Double) -> (digits: String, exponent: Int) {
  guard value != 0 else { return ("0", 0) }
  let parts = "\(value)".split(separator: "e")
  let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
  var digits = mantissa.joined()
  var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + mantissa[0].count - 1
  while digits.count > 1, digits.hasPrefix("0") {
    digits.removeFirst()
    exponent -= 1
  }
  while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
  return (digits, exponent)
}
